// berth:state/store, in memory.

import { mayRefuse, refusal, world } from './world.js';

let version = 0;

class Store {
  get(key) {
    mayRefuse();
    return world.state.get(key);
  }

  set(key, value, options) {
    mayRefuse();
    check(key, options);
    version += 1;
    const metadata = options.ttlSeconds === undefined ? [] : [['ttl', String(options.ttlSeconds)]];
    world.state.set(key, { value, etag: String(version), contentType: options.contentType, metadata });
  }

  delete(key, options) {
    mayRefuse();
    check(key, options);
    world.state.delete(key);
  }

  bulkGet(keys) {
    return keys.map((key) => ({ key, entry: this.get(key) }));
  }

  bulkSet(requests) {
    return requests.flatMap(({ key, value, options }) => {
      try {
        this.set(key, value, options);
        return [];
      } catch ({ payload }) {
        return [{ key, error: payload }];
      }
    });
  }

  transact(operations) {
    for (const { val } of operations) check(val.key, val.options);
    for (const { tag, val } of operations) {
      if (tag === 'set') this.set(val.key, val.value, val.options);
      else this.delete(val.key, val.options);
    }
  }
}

function check(key, { etag, concurrency }) {
  if (concurrency === 'last-write') return;
  const stored = world.state.get(key);
  if (etag !== undefined && stored?.etag !== etag) throw refusal('conflict');
  if (etag === undefined && concurrency === 'first-write' && stored) throw refusal('conflict');
}

export function open(name) {
  if (name !== 'statestore') throw refusal('not-found', `no store ${name}`);
  return new Store();
}
