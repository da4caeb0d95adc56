// Requests and responses over the streams of wasi:http.
//
// The engine's own `fetch` event would do this, but only once in the life of an instance; and instances are reused.

import { Fields, IncomingBody, OutgoingBody, OutgoingResponse, ResponseOutparam } from 'wasi:http/types@0.2.10';
import { bytesOfText, textOfBytes } from '../payload.js';

// Their bodies have no meaning (RFC 9110, section 9.3), and looking for one costs a fifth of a small request.
export const WITHOUT_BODY = new Set(['GET', 'HEAD']);
const READ_SIZE = 65536n;
// blockingWriteAndFlush takes no more at once.
const MAX_WRITE = 4096;

const drop = (resource) => resource[Symbol.dispose]();

/** A request: `verb`, `path` with its query, `headers` as pairs in lower case, `body` as bytes. */
export function readRequest(request) {
  const fields = request.headers();
  const headers = fields.entries().map(([name, value]) => [name.toLowerCase(), textOfBytes(value)]);
  drop(fields);
  const method = request.method();
  const verb = method.tag === 'other' ? method.val : method.tag.toUpperCase();
  const hasBody = !WITHOUT_BODY.has(verb) || headers.some(([name]) => name === 'content-length');
  return {
    verb,
    path: request.pathWithQuery() ?? '/',
    // Asked for by few, and every call of the host takes its time.
    get authority() {
      return request.authority() ?? 'localhost';
    },
    headers,
    body: hasBody ? readBody(request) : new Uint8Array(),
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

/** Answers with a status, headers as pairs, and a body: bytes, or a ReadableStream of bytes, which is a promise of the end. */
export function sendResponse({ status, headers, body }, outparam) {
  const response = new OutgoingResponse(Fields.fromList(headers.map(([name, value]) => [name, bytesOfText(value)])));
  if (status !== 200) response.setStatusCode(status);
  const outgoing = response.body();
  ResponseOutparam.set(outparam, { tag: 'ok', val: response });
  const stream = outgoing.write();
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
