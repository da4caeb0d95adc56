// What the program has registered: methods, subscriptions, workflows, activities. It is filled while the guest is built
// and kept in the guest's memory. Programs that register again while they serve, because their `main` runs in a handler,
// change nothing: the host has long asked for what there is.

import { isServing } from './phase.js';

/** Methods for other apps, in the order in which they were registered: `{ verb, segments, handler }`. */
export const listeners = [];
/** By `pubsub` and topic. */
export const subscriptions = new Map();
/** Functions by name. */
export const workflows = new Map();
/** Functions by name. */
export const activities = new Map();

/** The program's own `fetch`, for what no listener takes. */
export const http = { fetch: undefined };

/**
 * Whether there is still something to register. False: it is there already, and the program serves. An error: the
 * program serves, and the host can no longer learn of it.
 */
export function mayRegister(known, what) {
  if (!isServing()) return true;
  if (known) return false;
  throw new Error(`${what} is registered while the guest serves, which is too late: the host asks when it loads the guest. `
    + 'Register it at the top level of a module, or in a function that is called there');
}

/** Adds a workflow or an activity. */
export function registerFunction(functions, kind, name, body) {
  if (typeof name !== 'string' || name === '') {
    throw new Error(`a ${kind} needs a name: give the function one, or register it with a name`);
  }
  if (typeof body !== 'function') throw new Error(`the ${kind} ${name} is no function`);
  if (!mayRegister(functions.has(name), `the ${kind} ${name}`)) return;
  if (functions.has(name)) throw new Error(`there is already a ${kind} ${name}`);
  functions.set(name, body);
}
