// Builds a guest: node build.mjs OPTIONS, where OPTIONS is JSON with `project`, `entry`, `output`, `work` (a folder for what
// lies between) and `colours`. The guest becomes OUTPUT.draft: whoever asked gives it its name.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { bundle } from './bundle.mjs';
import { component } from './component.mjs';
import { tell, tellFailure, tellNothing } from './tell.mjs';

const { project, entry, output, work, colours } = JSON.parse(process.argv[2]);

async function make() {
  const { code, imports, doors, inputs } = await bundle({ project, entry, colours });
  if (doors.length === 0) {
    tellNothing(entry);
    return 1;
  }
  const guest = await component(code, imports, doors, work);
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(`${output}.draft`, guest);
  tell('inputs', inputs);
  return 0;
}

try {
  process.exitCode = await make();
} catch (error) {
  tellFailure(error);
  process.exitCode = 1;
}
