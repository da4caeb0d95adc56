// How the guest answers requests: calls of other apps go to listeners, everything else to the program's own `fetch`.

import { JSON_TYPE, isJson, textOfBytes } from '../payload.js';
import { logFailure } from '../runtime/log.js';
import { http, listeners } from '../runtime/registry.js';

/**
 * The Response to a request, or a promise of it. Not `async`: a promise costs more than the rest of a small call, so there is
 * none unless something is waited for.
 *
 * A request has `verb`, `path` with its query, `headers` as pairs in lower case, `body` as bytes or a promise of them, and
 * `whole`, the Request that a program is given.
 */
export function respond(request) {
  try {
    const given = answer(request);
    return typeof given?.then === 'function' ? finish(request, given) : sendable(given);
  } catch (error) {
    return failed(request, error);
  }
}

async function finish(request, given) {
  try {
    return sendable(await given);
  } catch (error) {
    return failed(request, error);
  }
}

/** Takes the program's own handler: `export default { fetch }` or `export function fetch`. */
export function useFetch(app) {
  const own = app.default?.fetch ?? app.fetch;
  if (typeof own === 'function') http.fetch = own.bind(app.default);
}

function answer(request) {
  const found = listeners.length > 0 && find(request.verb, pathOf(request));
  if (found) return listen(found, request);
  if (http.fetch) return http.fetch(request.whole);
  return json(404, { error: 'not-found', message: `nothing answers ${nameOf(request)}` });
}

const pathOf = ({ path }) => path.split('?')[0];
const nameOf = (request) => `${request.verb} ${pathOf(request)}`;

function failed(request, error) {
  logFailure(nameOf(request), error);
  return json(500, { error: 'internal', message: `the handler of ${nameOf(request)} failed` });
}

function find(verb, path) {
  const segments = path.split('/').filter((segment) => segment !== '');
  for (const listener of listeners) {
    const params = listener.verb === verb && match(listener.segments, segments);
    if (params) return { handler: listener.handler, params };
  }
  return undefined;
}

function match(pattern, segments) {
  if (pattern.length !== segments.length) return undefined;
  const params = {};
  for (const [index, expected] of pattern.entries()) {
    if (expected.startsWith(':')) params[expected.slice(1)] = decodeURIComponent(segments[index]);
    else if (expected !== segments[index]) return undefined;
  }
  return params;
}

async function listen({ handler, params }, { path, headers, body }) {
  const contentType = headers.find(([name]) => name === 'content-type')?.[1];
  const given = await handler({
    body: bodyText(await body, contentType),
    query: path,
    metadata: { contentType },
    headers: Object.fromEntries(headers),
    params,
  });
  // `closed` is what the official SDK answers for nothing.
  return given instanceof Response ? given : json(200, given || { closed: true });
}

// The official SDK hands out the parsed body as JSON again: text becomes a JSON string, no body an empty object.
function bodyText(body, contentType) {
  if (body.length === 0) return '{}';
  const text = textOfBytes(body);
  return JSON.stringify(isJson(contentType) ? JSON.parse(text) : text);
}

function sendable(response) {
  if (!(response instanceof Response)) throw new TypeError('`fetch` of a guest gives a Response');
  if (response.bodyUsed) throw new TypeError('the Response that `fetch` gave has been read already');
  return response;
}

function json(status, value) {
  return new Response(JSON.stringify(value) ?? 'null', { status, headers: { 'content-type': JSON_TYPE } });
}
