// The saga of an order: reserve, have a large one approved, pay, fulfil; and if a step fails, undo what was done, the last
// step first. The workflow decides; what has an effect is an activity.

import type { TWorkflow, WorkflowContext } from "@dapr/dapr";
import type { Order } from "./order";

export const SAGA = "order";
/** The event that lets a large order go on. */
export const APPROVED = "approved";
const LARGE_CENTS = 100_000;
const APPROVAL_SECONDS = 24 * 3600;

// A few attempts; then the order fails, and what was done is undone.
const USUAL = { retry: { maxAttempts: 4, firstIntervalMs: 200, backoff: 2 } };
// What is to be undone has to be undone, however long it takes.
const PATIENT = { retry: { ...USUAL.retry, maxAttempts: 2 ** 32 - 1, maxIntervalMs: 60_000 } };

export const saga: TWorkflow = async function* saga(ctx: WorkflowContext, order: Order): AsyncGenerator<any, object, any> {
  // Before each step: whether it had an effect when it fails is unknown, and undoing nothing is harmless.
  const undo: string[] = [];
  try {
    ctx.setCustomStatus("reserving");
    undo.push("release");
    yield ctx.callActivity("reserve", order, USUAL);
    if (order.totalCents >= LARGE_CENTS) {
      ctx.setCustomStatus("waiting for approval");
      yield ctx.waitForExternalEvent(APPROVED, { timeoutInSeconds: APPROVAL_SECONDS });
    }
    ctx.setCustomStatus("paying");
    undo.push("refund");
    yield ctx.callActivity("pay", order, USUAL);
    ctx.setCustomStatus("fulfilling");
    yield ctx.callActivity("fulfil", order, USUAL);
  } catch (error) {
    ctx.setCustomStatus("undoing");
    for (const activity of undo.reverse()) yield ctx.callActivity(activity, order, PATIENT);
    ctx.setCustomStatus("undone");
    throw error;
  }
  ctx.setCustomStatus("confirmed");
  return { orderId: order.orderId, status: "confirmed" };
};
