// A guest is built by running its modules once and keeping the memory that results. Until the first call from the host
// nothing of the outside can be reached: a call would end the build with a bare trap. So every way out asks here first.

let serving = false;
const said = new Set();

/** Whether the host has called: what is outside can be reached. */
export const isServing = () => serving;

/** Said by every export at its beginning. */
export function enterService() {
  serving = true;
}

/** Tells `berth build`, which reads these lines from the output of the build. Once per text. */
export function warnBuild(text) {
  if (serving || said.has(text)) return;
  said.add(text);
  tellBuild('warning', text);
}

// A script is given where its lines go: build/script.mjs.
const toBuild = typeof BERTH_TELL === 'undefined' ? console.log : BERTH_TELL;

/** A line for `berth build`. */
export function tellBuild(kind, content) {
  toBuild(`berth-build:${JSON.stringify({ kind, content })}`);
}

/**
 * Runs a call to the host, and turns what it throws into an error of the SDK. While the guest is built the call is held:
 * its promise stays open, so that a program which calls something right after it has started ends there quietly.
 */
export function call(what, body) {
  if (!serving) {
    warnBuild(`${what} is called while the guest is built, and is never made: a guest has no start of its own, so move it `
      + 'into a handler');
    return new Promise(() => {});
  }
  return new Promise((resolve) => resolve(body()));
}
