// The engine's own HTTP door: much quicker than imports, and through it an instance answers once in its life.

import { exit } from 'wasi:cli/exit@0.2.10';
import { logFailure } from '../runtime/log.js';
import { enterService } from '../runtime/phase.js';
import { streams } from '../runtime/response.js';
import { respond } from './http.js';

addEventListener('fetch', (event) => {
  enterService();
  event.respondWith(answer(event.request));
});

function answer(request) {
  const response = respond(readRequest(request));
  return response instanceof Response ? whole(response) : response.then(whole);
}

// A call of the engine for each thing, so what nobody asks for is not asked for.
const readRequest = (request) => ({
  get verb() {
    return request.method;
  },
  get path() {
    const { pathname, search } = new URL(request.url);
    return pathname + search;
  },
  get headers() {
    return [...request.headers];
  },
  get body() {
    return request.arrayBuffer().then((buffer) => new Uint8Array(buffer));
  },
  whole: request,
});

// To the engine a stream that fails has ended, and half an answer would be taken for a whole one.
function whole(response) {
  if (!streams(response)) return response;
  const reader = response.body.getReader();
  const body = new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        logFailure('the body of a response', error);
        exit({ tag: 'err' });
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
  const { status, statusText, headers } = response;
  return new Response(body, { status, statusText, headers });
}

// The engine compiles a function when it is first called: once, while the guest is built, and not in each instance. Nothing of
// the program's takes this.
answer({ method: 'COMPILE', url: 'http://guest/', headers: [] });
