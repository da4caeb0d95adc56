// Blocks of the official SDK that berth does not give to guests: they are there, and say so when they are used.

/** An object of which every method throws, with its name. */
export function notOffered(name) {
  return new Proxy({}, {
    get(_, method) {
      if (typeof method !== 'string' || method === 'then' || method === 'toJSON') return undefined;
      return () => {
        throw new Error(`${name}.${method} is not offered to guests of berth`);
      };
    },
  });
}
