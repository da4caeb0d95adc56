// The order as a saga: reserve, pay, ship; and if the payment fails, put back what was reserved.
//
// Each activity runs at least once, so each is safe to repeat: inventory-service knows the order ID, and a payment service
// would be given the idempotency key.

import { type TWorkflow, type WorkflowActivityContext, type WorkflowContext, WorkflowRuntime } from "@dapr/dapr";
import * as inventory from "./inventory";
import type { Order } from "./order";
import * as payment from "./payment";
import * as topic from "./topic";

export type Outcome = { success: true; orderId: string } | { success: false; reason: string };

// What unavailable services are worth.
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

export const orderSaga: TWorkflow = async function* orderSaga(ctx: WorkflowContext, order: Order): AsyncGenerator<unknown, Outcome, any> {
  try {
    yield ctx.callActivity(reserveStock, order, PATIENT);
  } catch (error) {
    return { success: false, reason: (error as Error).message };
  }
  try {
    yield ctx.callActivity(takePayment, order, PATIENT);
    yield ctx.callActivity(ship, order, PATIENT);
  } catch (error) {
    yield ctx.callActivity(putBack, order.orderId, PATIENT);
    return { success: false, reason: (error as Error).message };
  }
  return { success: true, orderId: ctx.getWorkflowInstanceId() };
};

/** Has the host run it. */
export function offerSaga(): void {
  new WorkflowRuntime()
    .registerWorkflowWithName("orderSaga", orderSaga)
    .registerActivity(reserveStock)
    .registerActivity(takePayment)
    .registerActivity(ship)
    .registerActivity(putBack)
    .start();
}
