// Offers the functions of two programs as methods, so that a test can call them: POST /call/<name> with a JSON array of
// arguments. As the app `inventory-service` the same guest is what the programs call.

import { DaprClient, DaprServer, HttpMethod } from "@dapr/dapr";
import * as guide from "./guide";
import * as official from "./official";

// As programs for Dapr's sidecar begin. What `main` registers is known to the host; what it then starts is for a handler.
const sample = { id: "never", customerId: "ada", items: [{ sku: "tea", qty: 1 }], totalCents: 1 };
official.main(sample).catch((error) => console.error(error));
guide.main().catch((error) => console.error(error));

/** The surroundings of Node.js that a guest has. */
async function surroundings(): Promise<object> {
  const before = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 5));
  const answer = await fetch("http://inventory-service/released/none");
  return {
    greeting: process.env.GREETING,
    uuid: crypto.randomUUID(),
    random: Math.random(),
    year: new Date().getFullYear(),
    waited: performance.now() > before,
    fetched: answer.status,
  };
}

const { main: officialMain, ...officialRest } = official;
const { main: guideMain, ...guideRest } = guide;
const functions: Record<string, (...args: any[]) => unknown> = {
  ...guideRest,
  ...officialRest,
  // Of these names both have one.
  guideSaveCart: guide.saveCart,
  officialMain,
  guideMain: async () => {
    const state = await guideMain();
    return { output: JSON.parse(state?.serializedOutput ?? "null") };
  },
  surroundings,
};

const server = new DaprServer();
const post = { method: HttpMethod.POST };
for (const [name, body] of Object.entries(functions)) {
  server.invoker.listen(`call/${name}`, async (call) => {
    try {
      return { result: await body(...JSON.parse(call.body ?? "[]")) };
    } catch (error) {
      return { error: String(error) };
    }
  }, post);
}

// inventory-service: everything is in stock but `nothing`, and what is put back is known.
const { state } = new DaprClient();
server.invoker.listen("reserve", async ({ body }) => {
  const { items } = JSON.parse(body ?? "{}") as { items: { sku: string }[] };
  const reserved = items.every(({ sku }) => sku !== "nothing");
  return { reserved, reservationId: reserved ? `r-${items[0]?.sku}` : "" };
}, post);
server.invoker.listen("release", async ({ body }) => {
  const { reservationId } = JSON.parse(body ?? "{}");
  await state.save("statestore", [{ key: `released-${reservationId}`, value: true }]);
}, post);
server.invoker.listen("released/:id", async ({ params }) => ({ released: await state.get("statestore", `released-${params?.id}`) }));
server.start();
