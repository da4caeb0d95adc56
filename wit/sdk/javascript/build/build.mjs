// Builds a guest: node build.mjs OPTIONS, where OPTIONS is JSON with `project`, `entry`, `output`, `work` (a folder for what
// lies between) and `colours`. The guest becomes OUTPUT.draft: whoever asked gives it its name. What the build has to say goes to standard output, one line `berth-build:JSON` each.

import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { componentize } from '@bytecodealliance/componentize-js';
import { bundle } from './bundle.mjs';

const { project, entry, output, work, colours } = JSON.parse(process.argv[2]);
const packages = resolve(dirname(fileURLToPath(import.meta.url)), '../../wit/deps');

const tell = (kind, content) => console.log(`berth-build:${JSON.stringify({ kind, content })}`);

function writeWorld(imports, exports) {
  const folder = join(work, 'wit');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(packages, join(folder, 'deps'), { recursive: true });
  const lines = [...imports.map((name) => `  import ${name};`), ...exports.map((name) => `  export ${name};`)];
  writeFileSync(join(folder, 'world.wit'), `package berth:built;\n\nworld guest {\n${lines.join('\n')}\n}\n`);
  return folder;
}

async function make() {
  const { code, imports, exports, inputs } = await bundle(project, entry, colours);
  if (exports.length === 0) {
    tell('error', `${entry} offers nothing: it uses neither DaprServer nor WorkflowRuntime, and exports no \`fetch\``);
    return 1;
  }
  const sourcePath = join(work, 'guest.js');
  mkdirSync(work, { recursive: true });
  writeFileSync(sourcePath, code);
  const witPath = writeWorld(imports, exports);
  // The engine's own HTTP door, which an instance can use only once, is not wanted: src/guest/wire.js.
  const options = { sourcePath, witPath, worldName: 'berth:built/guest', disableFeatures: ['fetch-event'] };
  const { component } = await componentize(options);
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(`${output}.draft`, component);
  tell('inputs', inputs);
  return 0;
}

try {
  process.exitCode = await make();
} catch (error) {
  // esbuild has printed its own.
  if (!Array.isArray(error?.errors)) tell('error', String(error?.message ?? error));
  process.exitCode = 1;
}
