// Secrets.

import { get as getSecret, getBulk as getSecrets } from 'berth:secrets/store@0.1.0';
import { attempt } from '../errors.js';
import { fromList } from '../metadata.js';
import { call } from '../runtime/phase.js';

export const secret = {
  /** The fields of a secret. `metadata` is a query string, such as `metadata.version_id=3`. */
  get(storeName, key, metadata = '') {
    return call(`secret.get of ${storeName}`, () => {
      return fromList(attempt(() => getSecret(storeName, key, { metadata: parameters(metadata) })).values);
    });
  },

  /** All secrets that this app may read, by name. */
  getBulk(storeName) {
    return call(`secret.getBulk of ${storeName}`, () => {
      const secrets = attempt(() => getSecrets(storeName, { metadata: [] }));
      return Object.fromEntries(secrets.map(({ name, values }) => [name, fromList(values)]));
    });
  },
};

function parameters(query) {
  return [...new URLSearchParams(query)].map(([name, value]) => [name.replace(/^metadata\./, ''), value]);
}
