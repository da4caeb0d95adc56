// The HTTP door for instances that are called again and again: requests and responses over the imports of wasi:http.

import { Fields, IncomingBody, OutgoingBody, OutgoingResponse, ResponseOutparam } from 'wasi:http/types@0.2.10';
import { bytesOfText, textOfBytes } from '../payload.js';
import { enterService } from '../runtime/phase.js';
import { bodyOf } from '../runtime/response.js';
import { respond } from './http.js';

// Their bodies have no meaning (RFC 9110, section 9.3), and looking for one costs a fifth of a small request.
const WITHOUT_BODY = new Set(['GET', 'HEAD']);
const READ_SIZE = 65536n;
// blockingWriteAndFlush takes no more at once.
const MAX_WRITE = 4096;

const drop = (resource) => resource[Symbol.dispose]();

export const incomingHandler = {
  handle(incoming, outparam) {
    enterService();
    const response = respond(readRequest(incoming));
    if (response instanceof Response) return sendResponse(response, outparam);
    return response.then((given) => sendResponse(given, outparam));
  },
};
// By another name, since the engine opens no door of its own beside an `incomingHandler`.
export { incomingHandler as reusableHandler };

function readRequest(request) {
  const fields = request.headers();
  const headers = fields.entries().map(([name, value]) => [name.toLowerCase(), textOfBytes(value)]);
  drop(fields);
  const method = request.method();
  const verb = method.tag === 'other' ? method.val : method.tag.toUpperCase();
  const hasBody = !WITHOUT_BODY.has(verb) || headers.some(([name]) => name === 'content-length');
  return {
    verb,
    path: request.pathWithQuery() ?? '/',
    headers,
    body: hasBody ? readBody(request) : new Uint8Array(),
    // Asked for by few, and every call of the host takes its time.
    get whole() {
      const init = { method: verb, headers };
      if (!WITHOUT_BODY.has(verb)) init.body = this.body;
      return new Request(`http://${request.authority() ?? 'localhost'}${this.path}`, init);
    },
  };
}

function readBody(request) {
  const body = request.consume();
  const stream = body.stream();
  const chunks = [];
  try {
    for (;;) chunks.push(stream.blockingRead(READ_SIZE));
  } catch (error) {
    if (error.payload?.tag !== 'closed') throw error;
  }
  drop(stream);
  drop(IncomingBody.finish(body));
  return chunks.length === 1 ? chunks[0] : joined(chunks);
}

function joined(chunks) {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

// What is written is bytes at once, or a stream of them, which is a promise of the end.
function sendResponse(response, outparam) {
  const headers = [...response.headers].map(([name, value]) => [name, bytesOfText(value)]);
  const outgoingResponse = new OutgoingResponse(Fields.fromList(headers));
  if (response.status !== 200) outgoingResponse.setStatusCode(response.status);
  const outgoing = outgoingResponse.body();
  ResponseOutparam.set(outparam, { tag: 'ok', val: outgoingResponse });
  const stream = outgoing.write();
  const body = bodyOf(response);
  if (body && !(body instanceof Uint8Array)) return pump(body, stream, outgoing);
  if (body) write(stream, body);
  return end(stream, outgoing);
}

async function pump(body, stream, outgoing) {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return end(stream, outgoing);
    write(stream, value);
  }
}

function end(stream, outgoing) {
  drop(stream);
  OutgoingBody.finish(outgoing, undefined);
}

function write(stream, bytes) {
  for (let start = 0; start < bytes.length; start += MAX_WRITE) {
    stream.blockingWriteAndFlush(bytes.subarray(start, start + MAX_WRITE));
  }
}
