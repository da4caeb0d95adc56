// berth:secrets/store.

import { refusal, world } from './world.js';

export function get(store, name, options) {
  const values = world.secrets.get(name);
  if (!values) throw refusal('not-found', `no secret ${name}`);
  return { name, values: [...values, ...options.metadata] };
}

export const getBulk = () => [...world.secrets].map(([name, values]) => ({ name, values }));
