// berth:state.

import { open } from 'berth:state/store@0.1.0';
import { bytes, equal, expect, refused } from './expect.js';

const READ = { metadata: [] };
const PLAIN = { metadata: [] };
const DELETE = { metadata: [] };

const openStore = () => open('statestore');

function entry(store, key) {
  const found = store.get(key, READ);
  expect(found !== undefined, `${key} is absent`);
  return found;
}

function absent(store, key) {
  const found = store.get(key, READ);
  expect(found === undefined, found);
}

function holds(store, key, text) {
  const found = entry(store, key);
  expect(equal(found.value, bytes(text)), found);
}

// Writes a key twice and returns the etag of the first write, which is stale then.
function stale(store, key) {
  store.set(key, bytes('old'), PLAIN);
  const { etag } = entry(store, key);
  store.set(key, bytes('new'), PLAIN);
  return etag;
}

const setRequest = (key, text, options = PLAIN) => ({ key, value: bytes(text), options });

const expires = (entry) => entry.metadata.some(([name]) => name === 'ttlExpireTime');

export const checks = {
  'state.open': () => {
    openStore();
  },

  'state.open-unknown': () => {
    refused('not-found', () => open('no-such-store'));
  },

  'state.set': (run) => {
    openStore().set(run.key('a'), bytes('one'), PLAIN);
  },

  'state.get': (run) => {
    const found = entry(openStore(), run.key('a'));
    expect(equal(found.value, bytes('one')) && found.etag !== '', found);
  },

  'state.get-missing': (run) => {
    absent(openStore(), run.key('missing'));
  },

  'state.etag': (run) => {
    const [store, key] = [openStore(), run.key('etag')];
    store.set(key, bytes('one'), PLAIN);
    const { etag: first } = entry(store, key);
    store.set(key, bytes('two'), { ...PLAIN, etag: first });
    const { etag: second } = entry(store, key);
    expect(first !== second, `the etag is still ${second}`);
  },

  'state.stale-etag': (run) => {
    const [store, key] = [openStore(), run.key('etag')];
    const etag = stale(store, key);
    refused('conflict', () => store.set(key, bytes('three'), { ...PLAIN, etag }));
    holds(store, key, 'new');
  },

  'state.first-write': (run) => {
    const [store, key] = [openStore(), run.key('first')];
    const options = { ...PLAIN, concurrency: 'first-write' };
    store.delete(key, DELETE);
    store.set(key, bytes('first'), options);
    refused('conflict', () => store.set(key, bytes('second'), options));
    holds(store, key, 'first');
  },

  'state.last-write': (run) => {
    const [store, key] = [openStore(), run.key('last')];
    const etag = stale(store, key);
    store.set(key, bytes('last'), { ...PLAIN, etag, concurrency: 'last-write' });
    holds(store, key, 'last');
  },

  'state.empty-key': () => {
    refused('invalid', () => openStore().set('', bytes('x'), PLAIN));
  },

  'state.reserved-key': (run) => {
    refused('invalid', () => openStore().set(run.key('a||b'), bytes('x'), PLAIN));
  },

  'state.ttl': (run) => {
    const [store, key] = [openStore(), run.key('ttl')];
    store.set(key, bytes('x'), { ...PLAIN, ttlSeconds: 3600 });
    const withTtl = entry(store, key);
    expect(expires(withTtl), withTtl);
    store.set(key, bytes('x'), PLAIN);
    const without = entry(store, key);
    expect(!expires(without), without);
  },

  'state.content-type': (run) => {
    const [store, key, contentType] = [openStore(), run.key('bytes'), 'application/octet-stream'];
    const value = Uint8Array.of(0, 255, 10);
    store.set(key, value, { ...PLAIN, contentType });
    const found = entry(store, key);
    expect(equal(found.value, value) && [undefined, contentType].includes(found.contentType), found);
  },

  'state.delete': (run) => {
    const [store, key] = [openStore(), run.key('delete')];
    store.set(key, bytes('x'), PLAIN);
    store.delete(key, DELETE);
    absent(store, key);
    store.delete(key, DELETE);
  },

  'state.delete-stale-etag': (run) => {
    const [store, key] = [openStore(), run.key('delete-etag')];
    const etag = stale(store, key);
    refused('conflict', () => store.delete(key, { ...DELETE, etag }));
    holds(store, key, 'new');
  },

  'state.bulk-set': (run) => {
    const [store, first, second] = [openStore(), run.key('bulk-1'), run.key('bulk-2')];
    const failures = store.bulkSet([setRequest(first, '1'), setRequest(second, '2')]);
    expect(failures.length === 0, failures);
    holds(store, first, '1');
    holds(store, second, '2');
  },

  'state.bulk-set-partial': (run) => {
    const [store, staleKey, goodKey] = [openStore(), run.key('bulk-stale'), run.key('bulk-good')];
    const etag = stale(store, staleKey);
    store.delete(goodKey, DELETE);
    const failures = store.bulkSet([setRequest(staleKey, 'x', { ...PLAIN, etag }), setRequest(goodKey, 'x')]);
    const [failure] = failures;
    expect(failures.length === 1 && failure.key === staleKey && failure.error.tag === 'conflict', failures);
    holds(store, goodKey, 'x');
  },

  'state.bulk-get': (run) => {
    const keys = ['bulk-2', 'missing', 'bulk-1'].map(run.key);
    const found = openStore().bulkGet(keys, READ);
    const [second, missing, first] = found;
    expect(found.length === 3 && found.every((one, index) => one.key === keys[index]), found);
    expect(equal(second.entry.value, bytes('2')) && equal(first.entry.value, bytes('1')), found);
    expect(missing.entry === undefined && found.every((one) => one.error === undefined), found);
  },

  'state.bulk-delete': (run) => {
    const [store, keys] = [openStore(), ['bulk-1', 'bulk-2'].map(run.key)];
    const failures = store.bulkDelete(keys.map((key) => ({ key, options: DELETE })));
    expect(failures.length === 0, failures);
    for (const key of keys) absent(store, key);
  },

  'state.transact': (run) => {
    const [store, added, removed] = [openStore(), run.key('added'), run.key('removed')];
    store.set(removed, bytes('x'), PLAIN);
    const operations = [
      { tag: 'set', val: setRequest(added, 'added') },
      { tag: 'delete', val: { key: removed, options: DELETE } },
    ];
    store.transact(operations, []);
    holds(store, added, 'added');
    absent(store, removed);
  },

  'state.transact-conflict': (run) => {
    const [store, first, second] = [openStore(), run.key('untouched'), run.key('contested')];
    const etag = stale(store, second);
    store.delete(first, DELETE);
    const operations = [
      { tag: 'set', val: setRequest(first, 'x') },
      { tag: 'set', val: setRequest(second, 'x', { ...PLAIN, etag }) },
    ];
    refused('conflict', () => store.transact(operations, []));
    absent(store, first);
    holds(store, second, 'new');
  },

  'state.list-keys': (run) => {
    const [store, prefix] = [openStore(), run.key('list-')];
    const written = [...'abcde'].map((name) => prefix + name);
    for (const key of written) store.set(key, bytes('x'), PLAIN);
    const pages = [store.listKeys(prefix, { limit: 2 })];
    while (pages.at(-1).next !== undefined && pages.length < 3) {
      pages.push(store.listKeys(prefix, { limit: 2, token: pages.at(-1).next }));
    }
    const listed = pages.flatMap((page) => page.keys).sort();
    expect(pages.map((page) => page.keys.length).join() === '2,2,1', pages);
    expect(listed.join() === written.join() && pages.at(-1).next === undefined, pages);
  },
};
