// Keeps the messages of a topic.

import { DaprClient, type DaprServer } from "@dapr/dapr";

const STORE = "statestore";

const { state } = new DaprClient();

/** Subscribes to the topic `messages`; `GET /messages/{id}` shows one that has come. */
export function offer(server: DaprServer): void {
  // A message may come more than once: to write the same again does no harm. One whose handler throws comes again.
  server.pubsub.subscribe("pubsub", "messages", async (message: { id: string }) => {
    const { error } = await state.save(STORE, [{ key: `message-${message.id}`, value: message }]);
    if (error) throw error;
    console.log("received", message.id);
  });
  server.invoker.listen("messages/:id", async ({ params }) => {
    const message = await state.get(STORE, `message-${params?.id}`);
    return message || new Response("no such message\n", { status: 404 });
  });
}
