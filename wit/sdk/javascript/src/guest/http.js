// The guest's HTTP door: calls of other apps go to listeners, everything else to the program's own `fetch`.

import { encodeJson, isJson, textOfBytes } from '../payload.js';
import { logFailure } from '../runtime/log.js';
import { enterService } from '../runtime/phase.js';
import { http, listeners } from '../runtime/registry.js';
import { WITHOUT_BODY, readRequest, sendResponse } from './wire.js';

export const incomingHandler = {
  async handle(incoming, outparam) {
    enterService();
    await sendResponse(await answer(readRequest(incoming)), outparam);
  },
};

/** Takes the program's own handler: `export default { fetch }` or `export function fetch`. */
export function useFetch(app) {
  const own = app.default?.fetch ?? app.fetch;
  if (typeof own === 'function') http.fetch = (request) => own.call(app.default, request);
}

async function answer(request) {
  const [path] = request.path.split('?');
  try {
    const found = find(request.verb, path);
    if (found) return await listen(found, request);
    if (http.fetch) return outgoing(await http.fetch(asRequest(request)));
  } catch (error) {
    logFailure(`${request.verb} ${path}`, error);
    return json(500, { error: 'internal', message: `the handler of ${request.verb} ${path} failed` });
  }
  return json(404, { error: 'not-found', message: `nothing answers ${request.verb} ${path}` });
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
    body: bodyText(body, contentType),
    query: path,
    metadata: { contentType },
    headers: Object.fromEntries(headers),
    params,
  });
  // What the official SDK answers for nothing.
  return given instanceof Response ? outgoing(given) : json(200, given || { closed: true });
}

// The official SDK hands out the parsed body as JSON again: text becomes a JSON string, no body an empty object.
function bodyText(body, contentType) {
  if (body.length === 0) return '{}';
  const text = textOfBytes(body);
  return JSON.stringify(isJson(contentType) ? JSON.parse(text) : text);
}

function asRequest({ verb, path, authority, headers, body }) {
  const init = { method: verb, headers };
  if (!WITHOUT_BODY.has(verb)) init.body = body;
  return new Request(`http://${authority}${path}`, init);
}

function outgoing(response) {
  if (!(response instanceof Response)) throw new TypeError('`fetch` of a guest gives a Response');
  return { status: response.status, headers: [...response.headers], body: response.body };
}

function json(status, value) {
  return { status, headers: [['content-type', 'application/json']], body: encodeJson(value) };
}
