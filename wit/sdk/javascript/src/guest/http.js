// The guest's HTTP door: calls of other apps go to listeners, everything else to the program's own `fetch`.

import { encodeJson, isJson, textOfBytes } from '../payload.js';
import { logFailure } from '../runtime/log.js';
import { enterService } from '../runtime/phase.js';
import { http, listeners } from '../runtime/registry.js';
import { bodyOf } from '../runtime/response.js';
import { WITHOUT_BODY, readRequest, sendResponse } from './wire.js';

export const incomingHandler = {
  // Not `async`: a promise costs more than the rest of a small call, so there is none unless something is waited for.
  handle(incoming, outparam) {
    enterService();
    const request = readRequest(incoming);
    let answer;
    try {
      const { call, answerOf } = doorOf(request);
      const given = call();
      if (typeof given?.then === 'function') return finish(request, given, answerOf, outparam);
      answer = answerOf(given);
    } catch (error) {
      answer = failed(request, error);
    }
    return sendResponse(answer, outparam);
  },
};

async function finish(request, given, answerOf, outparam) {
  let answer;
  try {
    answer = answerOf(await given);
  } catch (error) {
    answer = failed(request, error);
  }
  return sendResponse(answer, outparam);
}

/** Takes the program's own handler: `export default { fetch }` or `export function fetch`. */
export function useFetch(app) {
  const own = app.default?.fetch ?? app.fetch;
  if (typeof own === 'function') http.fetch = (request) => own.call(app.default, request);
}

/** How a request is handled, and what becomes of the value that the handler gives. */
function doorOf(request) {
  const found = find(request.verb, pathOf(request));
  if (found) return { call: () => listen(found, request), answerOf: heard };
  if (http.fetch) return { call: () => http.fetch(asRequest(request)), answerOf: outgoing };
  return { call: () => undefined, answerOf: () => json(404, { error: 'not-found', message: `nothing answers ${nameOf(request)}` }) };
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

function listen({ handler, params }, { path, headers, body }) {
  const contentType = headers.find(([name]) => name === 'content-type')?.[1];
  return handler({
    body: bodyText(body, contentType),
    query: path,
    metadata: { contentType },
    headers: Object.fromEntries(headers),
    params,
  });
}

// `closed` is what the official SDK answers for nothing.
const heard = (given) => (given instanceof Response ? outgoing(given) : json(200, given || { closed: true }));

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
  if (response.bodyUsed) throw new TypeError('the Response that `fetch` gave has been read already');
  return { status: response.status, headers: [...response.headers], body: bodyOf(response) };
}

function json(status, value) {
  return { status, headers: [['content-type', 'application/json']], body: encodeJson(value) };
}
