// The saga, with a host that is made of fakes: ../../wit/sdk/javascript/test/fakes.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { activities, workflows } from "../../../wit/sdk/javascript/src/guest/workflows.js";
import { reset, world } from "../../../wit/sdk/javascript/test/fakes/world.js";
import "../src/saga";

const encode = (value: unknown) => ({ data: new TextEncoder().encode(JSON.stringify(value)) });
const decode = ({ data }: { data: Uint8Array }) => JSON.parse(new TextDecoder().decode(data));
const order = { orderId: "o1", customerId: "ada", items: [{ sku: "tea", qty: 2 }], totalCents: 100, status: "placed" };
const run = async (given = order) => decode(await workflows.run("orderSaga", encode(given)));

beforeEach(() => {
  reset();
  for (const name of ["reserveStock", "takePayment", "ship", "putBack"]) world.activities.set(name, () => undefined);
});

function fails(name: string, message: string) {
  world.activities.set(name, () => {
    throw new Error(message);
  });
}

test("an order is reserved, paid and shipped", async () => {
  assert.deepEqual(await run(), { success: true, orderId: "instance-1" });
  assert.deepEqual(world.asked, ["activity reserveStock", "activity takePayment", "activity ship"]);
  assert.equal(world.status, "confirmed");
});

test("what cannot be paid is put back", async () => {
  fails("takePayment", "the card was declined");
  assert.deepEqual(await run(), { success: false, reason: "the card was declined" });
  assert.deepEqual(world.asked.at(-1), "activity putBack");
  assert.equal(world.status, "undone");
});

test("a reservation that failed is given back as well: whether it happened is unknown", async () => {
  fails("reserveStock", "too few are left");
  assert.deepEqual(await run(), { success: false, reason: "too few are left" });
  assert.deepEqual(world.asked, ["activity reserveStock", "activity putBack"]);
});

test("a large order waits for its approval", async () => {
  world.events.push({ name: "approved", data: undefined });
  assert.equal((await run({ ...order, totalCents: 100_000 })).success, true);
  assert.equal(world.asked[1], "event approved");
});

test("a large order that nobody approves is put back", async () => {
  const { success } = await run({ ...order, totalCents: 100_000 });
  assert.equal(success, false);
  assert.deepEqual(world.asked, ["activity reserveStock", "event approved", "activity putBack"]);
});

test("out of stock is final, an inventory that is down is not", async () => {
  const task = { instanceId: "o1", appId: "a", taskId: "1", attempt: 1, idempotencyKey: "k", metadata: [] };
  const attempt = () => activities.run(task, "reserveStock", encode(order));
  world.answers.set("inventory-service/reserve", { status: 409, body: '{"error":"out-of-stock","message":"too few are left"}' });
  await assert.rejects(attempt(), ({ payload }: any) => payload.kind === "Refused" && payload.message === "too few are left");
  world.answers.set("inventory-service/reserve", { status: 500, body: "oops" });
  await assert.rejects(attempt(), ({ payload }: any) => payload.kind === "Failure");
});
