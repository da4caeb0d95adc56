// Builds the guest: node build.js SOURCE WIT-DIRECTORY OUTPUT. Runs from where `npm ci` put its dependencies.

import { componentize } from '@bytecodealliance/componentize-js';
import { writeFile } from 'node:fs/promises';

const [sourcePath, witPath, output] = process.argv.slice(2);
const { component } = await componentize({ sourcePath, witPath, worldName: 'berth:guest/traced-service' });
await writeFile(output, component);
