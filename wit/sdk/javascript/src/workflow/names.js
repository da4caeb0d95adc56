// How workflows and activities are named.

/** The name of a function that is called: the one it is registered under, else its own. */
export function nameOf(functions, given, kind) {
  if (typeof given === 'string') return given;
  for (const [name, body] of functions) {
    if (body === given) return name;
  }
  if (typeof given === 'function' && given.name !== '') return given.name;
  throw new TypeError(`a ${kind} is called by its name or its function, and the function must have a name`);
}
