// What went wrong in a handler of the program.

const FRAMES = 6;

/** Writes an error and where it comes from to the guest's log. */
export function logFailure(what, error) {
  const frames = typeof error?.stack === 'string' ? error.stack.split('\n').filter((frame) => frame !== '') : [];
  console.error([`${what} failed: ${error}`, ...frames.slice(0, FRAMES)].join('\n  at '));
}
