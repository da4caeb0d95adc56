// The saga, with a host that is made of fakes: ../../wit/sdk/javascript/test/fakes.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { activities, workflows } from "../../../wit/sdk/javascript/src/guest/workflows.js";
import { reset, world } from "../../../wit/sdk/javascript/test/fakes/world.js";
import "../src/activities";
import * as ledger from "../src/ledger";

const encode = (value: unknown) => ({ data: new TextEncoder().encode(JSON.stringify(value)) });
const decode = ({ data }: { data: Uint8Array }) => JSON.parse(new TextDecoder().decode(data));
const order = { orderId: "o1", customerId: "ada", items: [{ sku: "tea", qty: 2 }], totalCents: 100, status: "placed" };
const run = async (given = order) => decode(await workflows.run("order", encode(given)));
const task = (key: string) => ({ instanceId: "o1", appId: "a", taskId: "1", attempt: 1, idempotencyKey: key, metadata: [] });
const attempt = (effect: string, given = order, key = effect) => activities.run(task(key), effect, encode(given));

beforeEach(() => {
  reset();
  for (const name of ["reserve", "release", "pay", "refund", "fulfil"]) world.activities.set(name, () => undefined);
});

function fails(name: string, message: string) {
  world.activities.set(name, () => {
    throw Object.assign(new Error(message), { name: "refused" });
  });
}

const failure = (kind: string) => ({ payload }: any) => payload.kind === kind;

test("an order is reserved, paid and fulfilled", async () => {
  assert.deepEqual(await run(), { orderId: "o1", status: "confirmed" });
  assert.deepEqual(world.asked, ["activity reserve", "activity pay", "activity fulfil"]);
  assert.equal(world.status, "confirmed");
});

for (const [step, done] of [["reserve", ["release"]], ["pay", ["refund", "release"]], ["fulfil", ["refund", "release"]]] as const) {
  test(`when ${step} fails, what was done is undone, the last first`, async () => {
    fails(step, "no");
    await assert.rejects(run(), failure("refused"));
    assert.deepEqual(world.asked.slice(world.asked.indexOf(`activity ${step}`) + 1), done.map((undo) => `activity ${undo}`));
    assert.equal(world.status, "undone");
  });
}

test("a large order waits for its approval, and is undone without one", async () => {
  const large = { ...order, totalCents: 100_000 };
  world.events.push({ name: "approved", data: undefined });
  assert.equal((await run(large)).status, "confirmed");
  await assert.rejects(run(large), failure("timeout"));
  assert.equal(world.asked.at(-1), "activity release");
});

test("what the world refuses is final, what is down is not", async () => {
  world.answers.set("inventory-service/reserve", { status: 409, body: '{"error":"out-of-stock","message":"too few are left"}' });
  await assert.rejects(attempt("reserve"), ({ payload }: any) => {
    assert.deepEqual(payload, { kind: "out-of-stock", message: "too few are left", nonRetryable: true });
    return true;
  });
  world.answers.set("inventory-service/reserve", { status: 500, body: "oops" });
  await assert.rejects(attempt("reserve"), ({ payload }: any) => !payload.nonRetryable);
  await assert.rejects(attempt("pay", { ...order, customerId: "broke" }), failure("payment-refused"));
});

test("an effect is in the ledger once, however often its activity ran", async () => {
  await attempt("pay");
  await attempt("pay");
  await attempt("refund");
  const { entries } = await ledger.read("o1");
  assert.deepEqual(entries.map(({ effect, attempts }) => [effect, attempts]), [["pay", 2], ["refund", 1]]);
});
