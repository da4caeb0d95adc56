// The guest's HTTP door: calls of other apps go to listeners, everything else to the program's own `fetch`.

import { encodeJson, isJson } from '../payload.js';
import { enterService } from '../runtime/phase.js';
import { http, listeners } from '../runtime/registry.js';

addEventListener('fetch', (event) => {
  enterService();
  event.respondWith(answer(event.request));
});

/** Takes the program's own handler: `export default { fetch }` or `export function fetch`. */
export function useFetch(app) {
  const own = app.default?.fetch ?? app.fetch;
  if (typeof own === 'function') http.fetch = (request) => own.call(app.default, request);
}

/** Answers a request. */
export async function answer(request) {
  const url = new URL(request.url);
  const segments = url.pathname.split('/').filter((segment) => segment !== '').map(decodeURIComponent);
  const found = find(request.method, segments);
  try {
    if (found) return await listen(found, request, url);
    if (http.fetch) return await http.fetch(request);
  } catch (error) {
    console.error(`${request.method} ${url.pathname} failed: ${error?.stack ? `${error}\n${error.stack}` : String(error)}`);
    return json(500, { error: 'internal', message: `the handler of ${request.method} ${url.pathname} failed` });
  }
  return json(404, { error: 'not-found', message: `nothing answers ${request.method} ${url.pathname}` });
}

function find(verb, segments) {
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
    if (expected.startsWith(':')) params[expected.slice(1)] = segments[index];
    else if (expected !== segments[index]) return undefined;
  }
  return params;
}

async function listen({ handler, params }, request, url) {
  const contentType = request.headers.get('content-type') ?? undefined;
  const given = await handler({
    body: bodyText(await request.text(), contentType),
    query: url.pathname + url.search,
    metadata: { contentType },
    headers: Object.fromEntries(request.headers),
    params,
  });
  if (given instanceof Response) return given;
  // What the official SDK answers for nothing.
  return json(200, given || { closed: true });
}

// The official SDK hands out the parsed body as JSON again: text becomes a JSON string, no body an empty object.
function bodyText(text, contentType) {
  if (text === '') return '{}';
  if (!isJson(contentType)) return JSON.stringify(text);
  return JSON.stringify(JSON.parse(text));
}

function json(status, value) {
  return new Response(encodeJson(value), { status, headers: { 'content-type': 'application/json' } });
}
