// The order as a saga: reserve, have large orders approved, pay, ship; and if a step fails, put back what was reserved.
//
// Each activity runs at least once, so each is safe to repeat: inventory-service knows the order ID, and a payment service
// would be given the idempotency key.

import { type TWorkflow, type WorkflowActivityContext, type WorkflowContext, WorkflowRuntime } from "@dapr/dapr";
import * as inventory from "./inventory";
import type { Order } from "./order";
import * as payment from "./payment";
import * as topic from "./topic";

export const SAGA = "orderSaga";
/** The event that lets a large order go on. */
export const APPROVED = "approved";
const LARGE_CENTS = 100_000;
const APPROVAL_SECONDS = 24 * 3600;

export type Outcome = { success: true; orderId: string } | { success: false; reason: string };

// How long it is worth waiting for a service that is down.
const PATIENT = { retry: { maxAttempts: 5, firstIntervalMs: 200, nonRetryable: ["Refused"] } };

/** A failure that another attempt cannot mend. */
class Refused extends Error {
  override name = "Refused";
}

export async function reserveStock(_: WorkflowActivityContext, order: Order): Promise<void> {
  await inventory.reserve(order).catch((error: { status?: number; message: string }) => {
    throw error.status === 409 ? new Refused(error.message) : error;
  });
}

export async function takePayment(_: WorkflowActivityContext, order: Order): Promise<{ paidCents: number }> {
  await payment.check();
  if (order.customerId === "broke") throw new Refused("the card was declined");
  return { paidCents: order.totalCents };
}

export async function ship(_: WorkflowActivityContext, order: Order): Promise<void> {
  await topic.announce({ ...order, status: "confirmed" });
}

export async function putBack(_: WorkflowActivityContext, orderId: string): Promise<void> {
  await inventory.release(orderId);
}

export const orderSaga: TWorkflow = async function* orderSaga(ctx: WorkflowContext, order: Order): AsyncGenerator<any, Outcome, any> {
  try {
    ctx.setCustomStatus("reserving");
    yield ctx.callActivity(reserveStock, order, PATIENT);
    if (order.totalCents >= LARGE_CENTS) {
      ctx.setCustomStatus("waiting for approval");
      yield ctx.waitForExternalEvent(APPROVED, { timeoutInSeconds: APPROVAL_SECONDS });
    }
    ctx.setCustomStatus("paying");
    yield ctx.callActivity(takePayment, order, PATIENT);
    ctx.setCustomStatus("shipping");
    yield ctx.callActivity(ship, order, PATIENT);
  } catch (error) {
    // Whether a step that failed had an effect is unknown, and putting back nothing is harmless.
    ctx.setCustomStatus("undoing");
    yield ctx.callActivity(putBack, order.orderId, PATIENT);
    ctx.setCustomStatus("undone");
    return { success: false, reason: (error as Error).message };
  }
  ctx.setCustomStatus("confirmed");
  return { success: true, orderId: ctx.getWorkflowInstanceId() };
};

new WorkflowRuntime()
  .registerWorkflowWithName(SAGA, orderSaga)
  .registerActivity(reserveStock)
  .registerActivity(takePayment)
  .registerActivity(ship)
  .registerActivity(putBack)
  .start();
