// State.

import { open } from 'berth:state/store@0.1.0';
import { DaprError, asDaprError, attempt } from '../errors.js';
import { fromList } from '../metadata.js';
import { decode } from '../payload.js';
import { call } from '../runtime/phase.js';
import { deleteRequest, getOptions, operation, setRequest } from './state-options.js';

export const state = {
  /** Writes values, each on its own. What went wrong is in the answer, as in the official SDK: nothing is thrown. */
  save(storeName, stateObjects, options = {}) {
    const requests = stateObjects.map((object) => setRequest(object, options.metadata));
    return call(`state.save to ${storeName}`, () => answer(() => write(storeName, requests)));
  },

  /** The value of a key: parsed if it is JSON, the empty text if there is none. */
  get(storeName, key, options = {}) {
    return call(`state.get from ${storeName}`, () => {
      const entry = withStore(storeName, (store) => store.get(key, getOptions(options)));
      return entry ? decode(entry.value) : '';
    });
  },

  /** Values of many keys, in the order of the keys: `data` and `etag` are absent where there is none. */
  getBulk(storeName, keys, options = {}) {
    return call(`state.getBulk from ${storeName}`, () => {
      return withStore(storeName, (store) => store.bulkGet(keys, getOptions(options))).map(bulkItem);
    });
  },

  /** Deletes a key. What went wrong is in the answer. */
  delete(storeName, key, options = {}) {
    const request = deleteRequest({ key, etag: options.etag, metadata: options.metadata, options });
    return call(`state.delete from ${storeName}`, () => {
      return answer(() => withStore(storeName, (store) => store.delete(key, request.options)));
    });
  },

  /** Applies all operations, or none; what went wrong is thrown. */
  transaction(storeName, operations = [], metadata = null) {
    const steps = operations.map((step) => operation(step, metadata));
    const pairs = Object.entries(metadata ?? {}).map(([name, value]) => [name, String(value)]);
    return call(`state.transaction on ${storeName}`, () => {
      withStore(storeName, (store) => store.transact(steps, pairs));
    });
  },

  query() {
    throw new Error('client.state.query is not offered to guests of berth: Dapr has never finished it');
  },

  /** The value of a key with its version; both are undefined if there is none. Not in the official SDK. */
  getStateAndEtag(storeName, key, options = {}) {
    return call(`state.getStateAndEtag from ${storeName}`, () => {
      const entry = withStore(storeName, (store) => store.get(key, getOptions(options)));
      return entry ? { data: decode(entry.value), etag: entry.etag } : { data: undefined, etag: undefined };
    });
  },

  /**
   * Writes one value if its version is still `etag`, or if it is absent and no `etag` is given. False: somebody else was
   * faster. Anything else that goes wrong is thrown. Not in the official SDK.
   */
  saveWithEtag(storeName, object) {
    const options = { concurrency: 'first-write', ...object.options };
    const request = setRequest({ ...object, options });
    return call(`state.saveWithEtag to ${storeName}`, () => {
      try {
        write(storeName, [request]);
        return true;
      } catch (error) {
        if (error.code === 'conflict') return false;
        throw error;
      }
    });
  },
};

// A handle finds its backend anew at every call, so it is good for as long as the instance is.
const stores = new Map();

function withStore(storeName, body) {
  return attempt(() => {
    if (!stores.has(storeName)) stores.set(storeName, open(storeName));
    return body(stores.get(storeName));
  });
}

function write(storeName, requests) {
  if (requests.length === 1) {
    const [{ key, value, options }] = requests;
    withStore(storeName, (store) => store.set(key, value, options));
    return;
  }
  const failed = withStore(storeName, (store) => store.bulkSet(requests));
  if (failed.length > 0) throw failedOf(failed);
}

/** The first failure speaks for all, and all are named. */
function failedOf(failed) {
  const errors = failed.map(({ key, error }) => ({ key, error: asDaprError(error) }));
  const [{ error: first }] = errors;
  return new DaprError(first.code, errors.map(({ key, error }) => `${key}: ${error.detail}`).join('; '), first.status);
}

function answer(body) {
  try {
    body();
    return {};
  } catch (error) {
    return { error };
  }
}

function bulkItem({ key, entry, error }) {
  if (error) return { key, error: asDaprError(error).detail };
  if (!entry) return { key };
  return { key, data: decode(entry.value), etag: entry.etag, metadata: fromList(entry.metadata) };
}
