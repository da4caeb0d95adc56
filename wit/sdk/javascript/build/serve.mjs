// Builds a guest again and again: each line of standard input is the OPTIONS of `build.mjs`, and is answered by what the build
// says and a line `done`, with the tool that refused the program if one did. What can stay in memory does.

import { createInterface } from 'node:readline';
import { checkTypes } from './types.mjs';
import { buildScript } from './script.mjs';
import { tell, tellFailure } from './tell.mjs';

async function build(options) {
  const { project, entry, colours } = options;
  // esbuild works in a process of its own meanwhile.
  const building = buildScript(options);
  building.catch(() => {});
  if (!checkTypes(project, entry, colours)) {
    await building.catch(() => {});
    return 'TypeScript';
  }
  try {
    return (await building) ? null : 'berth';
  } catch (error) {
    tellFailure(error);
    return 'esbuild';
  }
}

// Of a program, at its start: the engine goes on after one, too.
process.on('unhandledRejection', (error) => console.error(error));

for await (const line of createInterface({ input: process.stdin })) {
  tell('done', await build(JSON.parse(line)));
}
