// What the steps of the saga do to the world. An activity runs at least once: each is harmless when it is repeated, since the
// others know it by the order's ID, and the ledger by the idempotency key.

import { type WorkflowActivityContext, WorkflowRuntime } from "@dapr/dapr";
import { Failure } from "./failure";
import * as inventory from "./inventory";
import * as ledger from "./ledger";
import type { Order } from "./order";
import { SAGA, saga } from "./saga";
import * as topic from "./topic";

// The customer whose card is always refused, and the one who has moved, so that nothing can be sent.
const BROKE = "broke";
const MOVED = "moved";

const effects: Record<string, (order: Order) => Promise<void>> = {
  reserve: inventory.reserve,
  release: ({ orderId }) => inventory.release(orderId),
  // A real shop would charge a card here, and give the idempotency key to whoever does it.
  pay: async ({ customerId, totalCents }) => {
    if (customerId === BROKE) throw new Failure(402, "payment-refused", `${totalCents} cents are more than there is`);
  },
  refund: async () => {},
  fulfil: async (order) => {
    if (order.customerId === MOVED) throw new Failure(410, "no-address", "nobody knows where to send it");
    await topic.announce({ ...order, status: "confirmed" });
  },
};

const runtime = new WorkflowRuntime().registerWorkflowWithName(SAGA, saga);
for (const [effect, body] of Object.entries(effects)) {
  runtime.registerActivityWithName(effect, async (ctx: WorkflowActivityContext, order: Order) => {
    await body(order);
    await ledger.note(order.orderId, effect, ctx.idempotencyKey);
  });
}
runtime.start();
