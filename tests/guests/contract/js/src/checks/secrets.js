// berth:secrets.

import { get, getBulk } from 'berth:secrets/store@0.1.0';
import { expect, refused } from './expect.js';

const STORE = 'secretstore';
const NAME = 'contract-secret';
const OPTIONS = { metadata: [] };

const holdsTheValue = (secret) =>
  secret.name === NAME && secret.values.some(([field, value]) => field === NAME && value === 's3cret');

export const checks = {
  'secrets.get': () => {
    const secret = get(STORE, NAME, OPTIONS);
    expect(holdsTheValue(secret), secret);
  },

  'secrets.get-unknown': () => {
    refused('not-found', () => get(STORE, 'no-such-secret', OPTIONS));
  },

  'secrets.get-unknown-store': () => {
    refused('not-found', () => get('no-such-store', NAME, OPTIONS));
  },

  'secrets.get-bulk': () => {
    const secrets = getBulk(STORE, OPTIONS);
    // The names alone: the store may hold secrets of others.
    expect(secrets.some(holdsTheValue), secrets.map((secret) => secret.name));
  },
};
