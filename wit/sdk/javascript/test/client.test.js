import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { DaprClient, DaprError, HttpMethod, StateConcurrencyEnum } from '@dapr/dapr';
import { enterService } from '../src/runtime/phase.js';
import { reset, world } from './fakes/world.js';

enterService();
beforeEach(reset);

const { invoker, pubsub, secret, state, ...client } = new DaprClient({ daprPort: '3500' });
const text = (bytes) => new TextDecoder().decode(bytes);

test('state is JSON, and absent state is the empty text', async () => {
  assert.deepEqual(await state.save('statestore', [{ key: 'a', value: { n: 1 } }]), {});
  assert.deepEqual(await state.get('statestore', 'a'), { n: 1 });
  assert.equal(await state.get('statestore', 'none'), '');
});

test('a time to live is a field of its own, options are members or words', async () => {
  const options = { concurrency: StateConcurrencyEnum.CONCURRENCY_FIRST_WRITE, consistency: 'strong' };
  await state.save('statestore', [{ key: 'a', value: 1, metadata: { ttlInSeconds: '3600' }, options }]);
  assert.deepEqual(world.state.get('a').metadata, [['ttl', '3600']]);
  const again = await state.save('statestore', [{ key: 'a', value: 2, options: { concurrency: 'first-write' } }]);
  assert.equal(again.error.code, 'conflict');
  await assert.rejects(async () => state.save('statestore', [{ key: 'a', value: 2, options: { concurrency: 'first' } }]), /first-write/);
});

test('of several values those that fail are named', async () => {
  await state.save('statestore', [{ key: 'a', value: 1 }]);
  const { error } = await state.save('statestore', [{ key: 'a', value: 2, etag: 'old' }, { key: 'b', value: 3 }]);
  assert.match(error.detail, /^a: /);
  assert.equal(await state.get('statestore', 'b'), 3);
});

test('an etag guards a write', async () => {
  assert.deepEqual(await state.getStateAndEtag('statestore', 'a'), { data: undefined, etag: undefined });
  assert.equal(await state.saveWithEtag('statestore', { key: 'a', value: 'one' }), true);
  assert.equal(await state.saveWithEtag('statestore', { key: 'a', value: 'two' }), false);
  const { data, etag } = await state.getStateAndEtag('statestore', 'a');
  assert.equal(data, 'one');
  assert.equal(await state.saveWithEtag('statestore', { key: 'a', value: 'two', etag }), true);
  assert.equal(await state.saveWithEtag('statestore', { key: 'a', value: 'three', etag }), false);
  assert.equal((await state.delete('statestore', 'a', { etag })).error.code, 'conflict');
});

test('a transaction is all or nothing', async () => {
  await state.transaction('statestore', [{ operation: 'upsert', request: { key: 'a', value: 1 } }]);
  const operations = [
    { operation: 'delete', request: { key: 'a' } },
    { operation: 'upsert', request: { key: 'b', value: 1, etag: { value: 'stale' } } },
  ];
  await assert.rejects(state.transaction('statestore', operations), { code: 'conflict' });
  assert.equal(await state.get('statestore', 'a'), 1);
});

test('a bulk read has data and etag where there is one', async () => {
  await state.save('statestore', [{ key: 'a', value: 1 }]);
  const [found, absent] = await state.getBulk('statestore', ['a', 'b']);
  assert.equal(found.data, 1);
  assert.ok(found.etag);
  assert.deepEqual(absent, { key: 'b' });
});

test('an error has the message of the official SDK', async () => {
  const error = await state.get('elsewhere', 'a').catch((thrown) => thrown);
  assert.ok(error instanceof DaprError);
  assert.deepEqual(JSON.parse(error.message), { error: 'not-found', error_msg: 'no store elsewhere', status: 404 });
});

test('a message has the media type of its data', async () => {
  await pubsub.publish('pubsub', 'orders', { id: 1 }, { metadata: { ttlInSeconds: 5, 'cloudevent.id': 'x' } });
  await pubsub.publish('pubsub', 'orders', 'hello', { metadata: { rawPayload: 'true' } });
  await pubsub.publish('pubsub', 'orders', { id: 'e', source: 's', type: 't', specversion: '1.0' });
  const [json, plain, event] = world.published;
  assert.deepEqual([json.contentType, text(json.data)], ['application/json', '{"id":1}']);
  assert.deepEqual(json.options, { raw: false, ttlSeconds: 5, partitionKey: undefined, metadata: [['cloudevent.id', 'x']] });
  assert.deepEqual([plain.contentType, text(plain.data), plain.options.raw], ['text/plain', 'hello', true]);
  assert.equal(event.contentType, 'application/cloudevents+json');
});

test('what cannot be published is told, not thrown', async () => {
  world.refuse = 'denied';
  assert.equal((await pubsub.publish('pubsub', 'orders', 'x')).error.code, 'denied');
  world.refuse = undefined;
  const { failedMessages } = await pubsub.publishBulk('pubsub', 'orders', ['x', { entryID: 'bad', event: { n: 1 } }]);
  assert.deepEqual(failedMessages.map(({ message, error }) => [message.entryID, error.code]), [['bad', 'too-large']]);
  assert.equal(world.published.length, 1);
});

test('a call to an app is parsed, and a failing status thrown', async () => {
  world.answers.set('inventory/reserve', { body: '{"reserved":true}' });
  world.answers.set('inventory/fail', { status: 409, body: 'taken' });
  assert.deepEqual(await invoker.invoke('inventory', 'reserve?x=1', HttpMethod.POST, { n: 1 }), { reserved: true });
  const [{ method, verb, query, headers, body }] = world.invoked;
  assert.deepEqual([method, verb, query, headers, text(body)], ['reserve', 'POST', 'x=1', [['content-type', 'application/json']], '{"n":1}']);
  await assert.rejects(invoker.invoke('inventory', 'fail', HttpMethod.POST), { status: 409, detail: 'taken' });
  await assert.rejects(invoker.invoke('nobody', 'x'), { code: 'not-found' });
});

test('a secret is an object of its fields', async () => {
  world.secrets.set('key', [['key', 's3cret']]);
  assert.deepEqual(await secret.get('secretstore', 'key', 'metadata.version_id=3'), { key: 's3cret', version_id: '3' });
  assert.deepEqual(await secret.getBulk('secretstore'), { key: { key: 's3cret' } });
});

test('what berth does not offer says so', () => {
  assert.throws(() => client.lock.lock('store', 'id'), /client\.lock\.lock is not offered to guests/);
});
