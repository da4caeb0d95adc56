// What was done in the world for an order: each effect once, however often its activity ran.

import { STORE, state } from "./dapr";
import { Failure, ofState } from "./failure";

const ATTEMPTS_MAX = 100;

interface Entry {
  effect: string;
  /** The same for all attempts of one activity. */
  key: string;
  /** How often an attempt came this far. */
  attempts: number;
}

const keyOf = (orderId: string) => `ledger-${orderId}`;

/** Notes that an activity has had its effect; a key that is known is the same effect once more. */
export async function note(orderId: string, effect: string, idempotencyKey: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const { entries, etag } = await find(orderId);
    const known = entries.find(({ key }) => key === idempotencyKey);
    if (known) known.attempts += 1;
    else entries.push({ effect, key: idempotencyKey, attempts: 1 });
    if (await state.saveWithEtag(STORE, { key: keyOf(orderId), value: { entries }, etag })) return;
  }
  throw Failure.unavailable("the ledger is being written by others");
}

/** What was done for an order. */
export async function read(orderId: string): Promise<{ entries: Entry[] }> {
  const { entries } = await find(orderId).catch((error: unknown) => {
    throw ofState(error);
  });
  return { entries };
}

async function find(orderId: string): Promise<{ entries: Entry[]; etag: string | undefined }> {
  const { data, etag } = await state.getStateAndEtag<{ entries: Entry[] }>(STORE, keyOf(orderId));
  return { entries: data?.entries ?? [], etag };
}
