// What a Response was made of. Every body is a stream to the engine, and reading one costs more than all else that a small
// answer takes; so text and bytes are remembered as they are.

import { JSON_TYPE, bytesOfText } from '../payload.js';

const bodies = new WeakMap();

Response.json = (value, init) => {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError('Response.json: the value has no form in JSON');
  const headers = new Headers(init?.headers);
  if (!headers.has('content-type')) headers.set('content-type', JSON_TYPE);
  return new globalThis.Response(text, { ...init, headers });
};

globalThis.Response = new Proxy(Response, {
  construct(target, args, newTarget) {
    const response = Reflect.construct(target, args, newTarget);
    const [body] = args;
    if (typeof body === 'string') bodies.set(response, body);
    // Whoever has the bytes may write to them.
    else if (body instanceof Uint8Array) bodies.set(response, body.slice());
    return response;
  },
});

/** Whether the body is a stream that the program made, and that may fail. */
export const streams = (response) => !bodies.has(response) && response.body !== null;

/** The body of a response that nobody has read: bytes where they are known, else its stream. */
export function bodyOf(response) {
  const body = bodies.get(response);
  if (body === undefined) return response.body;
  return typeof body === 'string' ? bytesOfText(body) : body;
}
