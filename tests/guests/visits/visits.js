// The same as `src/lib.rs` in JavaScript.

import { open } from 'berth:state/store@0.1.0';
import { Fields, OutgoingBody, OutgoingResponse, ResponseOutparam } from 'wasi:http/types@0.2.10';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const drop = (resource) => resource[Symbol.dispose]();

export const incomingHandler = {
  handle(request, outparam) {
    if (request.pathWithQuery() === '/visits') answer(outparam, 200, { visits: visits() });
    else answer(outparam, 404, null);
  },
};

function visits() {
  const entry = open('statestore').get('visits', { metadata: [] });
  return entry ? JSON.parse(decoder.decode(entry.value)) : 0;
}

function answer(outparam, status, body) {
  const response = new OutgoingResponse(Fields.fromList([['content-type', encoder.encode('application/json')]]));
  response.setStatusCode(status);
  const outgoing = response.body();
  ResponseOutparam.set(outparam, { tag: 'ok', val: response });
  const stream = outgoing.write();
  stream.blockingWriteAndFlush(encoder.encode(JSON.stringify(body)));
  drop(stream);
  OutgoingBody.finish(outgoing, undefined);
}
