// The contract guest in JavaScript. tests/guests/contract/README.md says what it does.

import { answer as runChecks } from './checks/index.js';
import { notFound, readRequest, sendResponse } from './http.js';
import * as messages from './messages.js';

const ECHOED_HEADERS = ['content-type', 'x-contract'];

export const incomingHandler = {
  handle(request, outparam) {
    sendResponse(route(readRequest(request)), outparam);
  },
};

export const subscriber = { handle: messages.handle };

export const subscriptions = { declare: messages.declare };

function route(request) {
  if (request.path === '/contract') return runChecks(request);
  if (request.path === '/echo') return echo(request);
  if (request.path.startsWith('/received/')) return messages.answer(request.path.slice('/received/'.length));
  return notFound();
}

function echo({ verb, path, query, headers, body }) {
  const echoed = ECHOED_HEADERS.filter((name) => headers.has(name)).map((name) => [name, headers.get(name)]);
  const text = new TextDecoder().decode(body);
  return { status: 201, body: JSON.stringify({ verb, path, query, body: text, headers: Object.fromEntries(echoed) }) };
}
