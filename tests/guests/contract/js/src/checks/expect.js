// What every check needs.

export function expect(holds, detail) {
  if (!holds) throw new Error(show(detail));
}

// Checks that a call is refused with this error case. Components throw the error as `payload`.
export function refused(tag, call) {
  let value;
  try {
    value = call();
  } catch (error) {
    if (error.payload?.tag === tag) return;
    throw error;
  }
  throw new Error(`not refused: ${show(value)}`);
}

export function bytes(text) {
  return new TextEncoder().encode(text);
}

export function equal(found, expected) {
  return found.length === expected.length && expected.every((byte, index) => found[index] === byte);
}

function show(detail) {
  return typeof detail === 'string' ? detail : JSON.stringify(detail);
}
