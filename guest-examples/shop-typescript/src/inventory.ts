// Calls to inventory-service. Both are safe to repeat: an order is reserved once, and released once.

import { DaprError, HttpMethod } from "@dapr/dapr";
import { invoker } from "./dapr";
import { Failure } from "./failure";
import type { Order } from "./order";

// Leaves this service time to answer within its own limit of five seconds.
const OPTIONS = { timeoutMs: 3_000 };

/** Sets the order's items aside. */
export async function reserve({ orderId, items }: Pick<Order, "orderId" | "items">): Promise<void> {
  await ask("reserve", { orderId, items });
}

/** Puts them back. */
export async function release(orderId: string): Promise<void> {
  await ask("release", { orderId });
}

async function ask(method: string, data: object): Promise<void> {
  try {
    await invoker.invoke("inventory-service", method, HttpMethod.POST, data, OPTIONS);
  } catch (error) {
    throw understand(error);
  }
}

function understand(error: unknown): Failure {
  if (!(error instanceof DaprError)) throw error;
  if (error.code !== "answered") return Failure.unavailable(`inventory-service cannot be asked: ${error.detail}`);
  // Out of stock, or too busy: inventory-service has said it best.
  if (error.status === 409 || error.status === 503) return Failure.passedOn(error.status, error.detail);
  return Failure.unavailable(`inventory-service answered ${error.status}: ${error.detail}`);
}
