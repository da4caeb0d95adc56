// From a module of JavaScript to a component.

import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { componentize } from '@bytecodealliance/componentize-js';

const packages = resolve(dirname(fileURLToPath(import.meta.url)), '../../wit/deps');

/** The component of a module with these imports and doors. `work` is a folder for what lies between. */
export async function component(code, imports, doors, work) {
  mkdirSync(work, { recursive: true });
  const sourcePath = join(work, 'guest.js');
  writeFileSync(sourcePath, code);
  const witPath = writeWorld(imports, doors, work);
  const disableFeatures = doors.some(({ ofEngine }) => ofEngine) ? [] : ['fetch-event'];
  const options = { sourcePath, witPath, worldName: 'berth:built/guest', disableFeatures };
  return (await componentize(options)).component;
}

function writeWorld(imports, doors, work) {
  const folder = join(work, 'wit');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(packages, join(folder, 'deps'), { recursive: true });
  const lines = [...imports.map((name) => `  import ${name};`), ...doors.map(({ name }) => `  export ${name};`)];
  writeFileSync(join(folder, 'world.wit'), `package berth:built;\n\nworld guest {\n${lines.join('\n')}\n}\n`);
  return folder;
}
