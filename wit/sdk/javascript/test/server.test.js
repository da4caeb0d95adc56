import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { DaprPubSubStatusEnum, DaprServer } from '@dapr/dapr';
import { useFetch } from '../src/guest/http.js';
import { incomingHandler } from '../src/guest/wire.js';
import { subscriber, subscriptions } from '../src/guest/messages.js';
import { IncomingRequest } from './fakes/http.js';
import { reset } from './fakes/world.js';

beforeEach(reset);

// Of the engine.
let listenToFetch;
globalThis.addEventListener = (_, listener) => { listenToFetch = listener; };
await import('../src/guest/fetch-event.js');

const server = new DaprServer({ serverPort: '3001' });
const seen = [];
let failing = true;

await server.pubsub.subscribe('pubsub', 'orders', async (data, headers, event) => {
  if (failing) throw new Error('deliver it again');
  seen.push([data, headers.traceparent, event.id]);
});
await server.pubsub.subscribeWithOptions('pubsub', 'routed', {
  route: { rules: [{ match: 'event.type == "a"', path: '/a' }], default: 'other' },
  deadLetterTopic: 'routed-dlq',
  deadLetterCallback: async () => DaprPubSubStatusEnum.DROP,
  bulkSubscribe: { enabled: true },
});
server.pubsub.subscribeToRoute('pubsub', 'routed', 'a', async (data) => seen.push(['a', data]));
server.pubsub.subscribeToRoute('pubsub', 'routed', { default: 'other' }, async () => DaprPubSubStatusEnum.RETRY);
await server.invoker.listen('echo/:name', async (data) => data, { method: 'POST' });
await server.invoker.listen('nothing', async () => undefined);
await server.invoker.listen('body', async ({ body }) => ({ body }));
await server.invoker.listen('teapot', async () => new Response('short and stout', { status: 418, headers: { 'x-tea': 'yes' } }));
await server.invoker.listen('broken', async () => {
  throw new Error('oops');
});
await server.start();
useFetch({ default: { fetch: async (request) => new Response(`${request.method} ${request.url} ${await request.text()}`) } });

const message = (topic, route, event = {}) => ({
  pubsub: 'pubsub',
  topic,
  route,
  attempt: 1,
  metadata: [['partition', '3']],
  event: {
    id: 'e1', source: 's', eventType: 't', specVersion: '1.0', dataContentType: 'application/json',
    data: new TextEncoder().encode('{"n":1}'), extensions: [['traceparent', '00-1']], ...event,
  },
});

const doors = {
  async imports(given) {
    const outparam = {};
    await incomingHandler.handle(new IncomingRequest(given), outparam);
    const { response } = outparam;
    assert.ok(response.outgoing.finished);
    const headers = response.fields.list.map(([name, value]) => [name, new TextDecoder().decode(value)]);
    return { status: response.status, headers, text: new TextDecoder().decode(Uint8Array.from(response.outgoing.written)) };
  },
  async event({ verb = 'GET', path = '/', headers, chunks = [] }) {
    const body = verb === 'GET' ? undefined : chunks.join('');
    const request = new Request(`http://guest.test${path}`, { method: verb, headers, body });
    let response;
    listenToFetch({ request, respondWith: (given) => { response = given; } });
    response = await response;
    return { status: response.status, headers: [...response.headers], text: await response.text() };
  },
};

/** A test of each door for HTTP. */
function testDoors(name, body) {
  for (const [door, request] of Object.entries(doors)) test(`${name}: ${door}`, () => body(request));
}

test('a GET has a body only if it has a length', async () => {
  const body = async (headers) => JSON.parse((await doors.imports({ path: '/body', headers, chunks: ['x'] })).text).body;
  assert.equal(await body({}), '{}');
  assert.equal(await body({ 'content-length': '1' }), '"x"');
});

test('subscriptions are declared with their routes', () => {
  const [orders, routed, letters] = subscriptions.declare();
  assert.deepEqual([orders.topic, orders.defaultRoute, orders.rules], ['orders', 'default', []]);
  assert.deepEqual([routed.rules, routed.defaultRoute], [[{ match: 'event.type == "a"', path: 'a' }], 'other']);
  assert.deepEqual(routed.bulk, { enabled: true, maxMessagesCount: 100, maxAwaitDurationMs: 1000 });
  assert.deepEqual([letters.topic, letters.defaultRoute], ['routed-dlq', 'deadletter']);
});

test('a handler that throws has its message again', async () => {
  assert.equal(await subscriber.handle(message('orders', 'default')), 'retry');
  failing = false;
  assert.equal(await subscriber.handle(message('orders', 'default')), 'success');
  assert.deepEqual(seen.pop(), [{ n: 1 }, '00-1', 'e1']);
});

test('the route of a document goes to the default handlers', async () => {
  assert.equal(await subscriber.handle(message('orders', '/order-confirmed')), 'success');
});

test('a route chooses the handler, and its answer the outcome', async () => {
  assert.equal(await subscriber.handle(message('routed', 'a', { dataContentType: 'text/plain' })), 'success');
  assert.deepEqual(seen.pop(), ['a', '{"n":1}']);
  assert.equal(await subscriber.handle(message('routed', 'other')), 'retry');
  assert.equal(await subscriber.handle(message('routed-dlq', 'deadletter')), 'drop');
});

test('a message of an unknown topic goes to the program as a POST', async () => {
  assert.equal(await subscriber.handle(message('elsewhere', '/hook')), 'success');
});

testDoors('a method is handed the body as JSON, its parameters and headers', async (request) => {
  const given = { verb: 'POST', path: '/echo/a%20b?x=1', headers: { 'Content-Type': 'application/json' }, chunks: ['{"n":', ' 1}'] };
  const { status, text } = await request(given);
  assert.equal(status, 200);
  const { body, query, metadata, params } = JSON.parse(text);
  assert.deepEqual([body, query, metadata.contentType, params], ['{"n":1}', '/echo/a%20b?x=1', 'application/json', { name: 'a b' }]);
});

testDoors('text is handed on as JSON text, no body as an empty object', async (request) => {
  const body = async (chunks) => JSON.parse((await request({ verb: 'POST', path: '/echo/x', chunks })).text).body;
  assert.equal(await body(['hi']), '"hi"');
  assert.equal(await body([]), '{}');
});

testDoors('nothing is answered as the official SDK does, a Response as it is', async (request) => {
  assert.equal((await request({ path: '/nothing' })).text, '{"closed":true}');
  const teapot = await request({ path: '/teapot' });
  assert.deepEqual([teapot.status, teapot.text], [418, 'short and stout']);
  assert.ok(teapot.headers.some(([name, value]) => name === 'x-tea' && value === 'yes'));
});

testDoors('a handler that throws is a 500 without its reasons', async (request) => {
  const { status, text } = await request({ path: '/broken' });
  assert.equal(status, 500);
  assert.doesNotMatch(text, /oops/);
  assert.equal((await request({ verb: 'POST', path: '/echo/%' })).status, 500);
});

testDoors('the rest goes to the program itself', async (request) => {
  const { text } = await request({ verb: 'PUT', path: '/any/where?x=1', chunks: ['body'] });
  assert.equal(text, 'PUT http://guest.test/any/where?x=1 body');
});

testDoors('a response is sent as it was made, whatever its body is', async (request) => {
  const given = async (answer) => {
    useFetch({ fetch: () => answer });
    return request({});
  };
  const bytes = new TextEncoder().encode('bytes');
  const ofBytes = new Response(bytes, { status: 201 });
  bytes.fill(0);
  const sent = await given(ofBytes);
  assert.deepEqual([sent.status, sent.text], [201, 'bytes']);
  assert.equal((await given(new Response())).text, '');
  assert.equal((await given(new Response(''))).text, '');
  assert.equal((await given(new Response(new Blob(['of ', 'chunks'])))).text, 'of chunks');
  assert.equal((await given(new Response('text').clone())).text, 'text');
  assert.equal((await given(Promise.resolve(new Response('later')))).text, 'later');
  const plain = await given(new Response('text'));
  assert.match(new Headers(plain.headers).get('content-type'), /^text\/plain/);
  assert.ok(new Response('text') instanceof Response && Response.error() instanceof Response);
});

testDoors('half a body is never sent as a whole one', async (request) => {
  const given = (pull) => {
    useFetch({ fetch: () => new Response(new ReadableStream({ pull }), { status: 201, headers: { 'x-tea': 'yes' } }) });
    return request({});
  };
  let left = 2;
  const sent = await given((controller) => {
    if (left === 0) return controller.close();
    left -= 1;
    return controller.enqueue(new TextEncoder().encode('part '));
  });
  assert.deepEqual([sent.status, new Headers(sent.headers).get('x-tea'), sent.text], [201, 'yes', 'part part ']);
  let begun = false;
  await assert.rejects(given((controller) => {
    if (begun) throw new Error('no more');
    begun = true;
    controller.enqueue(new Uint8Array(3));
  }));
});

testDoors('a response that was read, or is none, is a failure', async (request) => {
  const read = new Response('text');
  await read.text();
  const failing = async () => {
    throw new Error('oops');
  };
  for (const fetch of [() => read, async () => read, () => 'text', () => undefined, failing]) {
    useFetch({ fetch });
    assert.equal((await request({})).status, 500);
  }
});

testDoors('Response.json has a type of its own unless it is given one', async (request) => {
  const given = async (...args) => {
    useFetch({ fetch: () => Response.json(...args) });
    const { status, headers, text } = await request({});
    return [status, new Headers(headers).get('content-type'), text];
  };
  assert.deepEqual(await given({ a: 1 }), [200, 'application/json', '{"a":1}']);
  const init = { status: 202, headers: { 'content-type': 'application/problem+json' } };
  assert.deepEqual(await given([], init), [202, 'application/problem+json', '[]']);
  assert.equal((await given(undefined))[0], 500);
});

test('what is registered too late is refused, what is known is left as it is', async () => {
  await server.pubsub.subscribe('pubsub', 'orders', async () => DaprPubSubStatusEnum.DROP);
  assert.equal(await subscriber.handle(message('orders', 'default')), 'success');
  await assert.rejects(server.pubsub.subscribe('pubsub', 'new', async () => {}), /too late/);
  await assert.rejects(server.invoker.listen('new', async () => {}), /too late/);
});
