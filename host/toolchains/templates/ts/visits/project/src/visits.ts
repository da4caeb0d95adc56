// Counts visits in the state store.

import { DaprClient, type DaprServer, HttpMethod } from "@dapr/dapr";

const STORE = "statestore";
const KEY = "visits";
const ATTEMPTS_MAX = 100;

const { state } = new DaprClient();

/** `POST /visits` counts one more, `GET /visits` tells how many there were. */
export function offer(server: DaprServer): void {
  server.invoker.listen("visits", count, { method: HttpMethod.POST });
  server.invoker.listen("visits", async () => ({ visits: Number(await state.get(STORE, KEY)) }));
}

// Whoever reads a number and writes it again loses what others wrote in between, unless the etag says that nobody did.
async function count(): Promise<{ visits: number }> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const { data = 0, etag } = await state.getStateAndEtag<number>(STORE, KEY);
    if (await state.saveWithEtag(STORE, { key: KEY, value: data + 1, etag })) return { visits: data + 1 };
  }
  throw new Error("too many visitors at once");
}
