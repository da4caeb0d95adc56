// Requests and responses in one piece, over the streams of wasi:http.

import { Fields, IncomingBody, OutgoingBody, OutgoingResponse, ResponseOutparam } from 'wasi:http/types@0.2.12';

// blockingWriteAndFlush takes no more at once.
const MAX_WRITE = 4096;

const drop = (resource) => resource[Symbol.dispose]();

export function readRequest(request) {
  const [path, ...query] = (request.pathWithQuery() ?? '').split('?');
  const fields = request.headers();
  const decoder = new TextDecoder();
  const headers = new Map(fields.entries().map(([name, value]) => [name.toLowerCase(), decoder.decode(value)]));
  drop(fields);
  return { verb: verb(request.method()), path, query: query.join('?'), headers, body: readBody(request) };
}

function verb(method) {
  return method.tag === 'other' ? method.val : method.tag.toUpperCase();
}

function readBody(request) {
  const body = request.consume();
  const stream = body.stream();
  const bytes = [];
  try {
    for (;;) bytes.push(...stream.blockingRead(65536n));
  } catch (error) {
    if (error.payload?.tag !== 'closed') throw error;
  }
  drop(stream);
  drop(IncomingBody.finish(body));
  return Uint8Array.from(bytes);
}

export function notFound() {
  return { status: 404, body: '{"error":"not found"}' };
}

// `body` is text, or bytes as they are stored.
export function sendResponse({ status, body }, outparam) {
  const encoder = new TextEncoder();
  const response = new OutgoingResponse(Fields.fromList([['content-type', encoder.encode('application/json')]]));
  response.setStatusCode(status);
  const outgoing = response.body();
  ResponseOutparam.set(outparam, { tag: 'ok', val: response });
  const stream = outgoing.write();
  const bytes = typeof body === 'string' ? encoder.encode(body) : body;
  for (let start = 0; start < bytes.length; start += MAX_WRITE) {
    stream.blockingWriteAndFlush(bytes.slice(start, start + MAX_WRITE));
  }
  drop(stream);
  OutgoingBody.finish(outgoing, undefined);
}
