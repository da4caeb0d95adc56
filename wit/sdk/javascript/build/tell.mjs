// What a build has to say goes to standard output, a line `berth-build:JSON` each.

import { writeSync } from 'node:fs';

/** Says one thing. At once: the process may be about to end. */
export const tell = (kind, content) => writeSync(1, `berth-build:${JSON.stringify({ kind, content })}\n`);

/** Says why a build failed; esbuild has printed its own errors. */
export function tellFailure(error) {
  if (!Array.isArray(error?.errors)) tell('error', String(error?.message ?? error));
}

/** Says that a program is none for a guest. */
export const tellNothing = (entry) => tell('error',
  `${entry} offers nothing: it uses neither DaprServer nor WorkflowRuntime, and exports no \`fetch\``);
