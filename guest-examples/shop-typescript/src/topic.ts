// The topic on which orders are announced.

import { pubsub } from "./dapr";
import { Failure } from "./failure";
import type { Order } from "./order";

/**
 * Publishes the order to `orders`. Repeating it is harmless: the event's ID is the order's, and whoever receives it must
 * expect it more than once anyway.
 */
export async function announce(order: Order): Promise<void> {
  const metadata = { "cloudevent.id": `order-${order.orderId}`, "cloudevent.type": "order.confirmed" };
  const { error } = await pubsub.publish("pubsub", "orders", order, { metadata });
  if (error) throw Failure.unavailable(`the order is stored but could not be announced: ${error.message}`);
}
