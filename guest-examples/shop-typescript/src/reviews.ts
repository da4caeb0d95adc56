// Reviews, which come as messages on the topic `reviews`: `{"id": "1", "text": "..."}`.
//
// Some texts break the handler, to show what becomes of such a message: `hesitate` throws once, `throw` always, `trap` waits
// for what never comes, `loop` never ends by itself. All but the first are dead letters after the attempts that the shop's
// resiliency policy allows.

import { DaprServer } from "@dapr/dapr";
import { state, STORE } from "./dapr";
import { Failure } from "./failure";
import { json } from "./http";

interface Review {
  id: string;
  text: string;
}

interface Kept extends Review {
  /** How often it came. */
  deliveries: number;
}

const ATTEMPTS_MAX = 100;

const server = new DaprServer();
server.pubsub.subscribeWithOptions("pubsub", "reviews", { callback: keep, deadLetterTopic: "reviews-dlq" });
server.start();

async function keep(review: Review): Promise<void> {
  const { text, deliveries } = await count(review);
  if (text === "hesitate" && deliveries === 1) throw new Error("a second thought");
  if (text === "throw") throw new Error("this review is never kept");
  if (text === "trap") await new Promise(() => {});
  while (text === "loop");
}

async function count({ id, text }: Review): Promise<Kept> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const { data, etag } = await state.getStateAndEtag<Kept>(STORE, key(id));
    const kept = { id, text, deliveries: (data?.deliveries ?? 0) + 1 };
    if (await state.saveWithEtag(STORE, { key: key(id), value: kept, etag })) return kept;
  }
  throw Failure.unavailable("the review is being written by others");
}

/** Shows a review that has come. */
export async function show(id: string): Promise<Response> {
  const kept = await state.get(STORE, key(id));
  if (!kept) throw Failure.notFound(`there is no review ${id}`);
  return json(200, kept);
}

const key = (id: string): string => `review-${id}`;
