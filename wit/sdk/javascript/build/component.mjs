// From a module of JavaScript to a component.

import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { componentize } from '@bytecodealliance/componentize-js';

const packages = resolve(dirname(fileURLToPath(import.meta.url)), '../../wit/deps');

/** The component of a module with these imports and exports. `work` is a folder for what lies between. */
export async function component(code, imports, exports, work) {
  mkdirSync(work, { recursive: true });
  const sourcePath = join(work, 'guest.js');
  writeFileSync(sourcePath, code);
  const witPath = writeWorld(imports, exports, work);
  // The engine's own HTTP door, which an instance can use only once, is not wanted: src/guest/wire.js.
  const options = { sourcePath, witPath, worldName: 'berth:built/guest', disableFeatures: ['fetch-event'] };
  return (await componentize(options)).component;
}

function writeWorld(imports, exports, work) {
  const folder = join(work, 'wit');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(packages, join(folder, 'deps'), { recursive: true });
  const lines = [...imports.map((name) => `  import ${name};`), ...exports.map((name) => `  export ${name};`)];
  writeFileSync(join(folder, 'world.wit'), `package berth:built;\n\nworld guest {\n${lines.join('\n')}\n}\n`);
  return folder;
}
