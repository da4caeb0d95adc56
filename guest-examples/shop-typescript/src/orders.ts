// `/orders`.

import { STORE, state } from "./dapr";
import { Failure, ofState } from "./failure";
import { body, json } from "./http";
import * as inventory from "./inventory";
import { type Order, readOrder } from "./order";
import * as payment from "./payment";
import * as topic from "./topic";

const key = (orderId: string) => `order-${orderId}`;

/**
 * Takes an order.
 *
 * Each step can be repeated and the answer comes last. Whoever hears nothing, because the host died between any two steps,
 * sends the order again, and it goes on where it stopped: stock is reserved once per order ID, the order is stored once, and
 * it is announced until it is known to be.
 */
export async function place(request: Request): Promise<Response> {
  const asked = readOrder(await body(request), () => crypto.randomUUID().replaceAll("-", ""));
  await payment.check();
  const order = (await find(asked.orderId)) ?? (await reserveAndSave(asked));
  if (order.status === "placed") {
    order.status = "confirmed";
    await topic.announce(order);
    const { error } = await state.save(STORE, [{ key: key(order.orderId), value: order, options: { concurrency: "last-write" } }]);
    if (error) throw ofState(error);
  }
  return json(201, order);
}

/** Shows an order. */
export async function show(orderId: string): Promise<Response> {
  const order = await find(orderId);
  if (!order) throw Failure.notFound(`there is no order ${orderId}`);
  return json(200, order);
}

async function reserveAndSave(order: Order): Promise<Order> {
  await inventory.reserve(order);
  const saved = await state.saveWithEtag(STORE, { key: key(order.orderId), value: order }).catch(rethrow);
  if (saved) return order;
  // The same order came twice at once; the other one was stored first.
  const stored = await find(order.orderId);
  if (!stored) throw Failure.unavailable("the order is being changed");
  return stored;
}

async function find(orderId: string): Promise<Order | undefined> {
  const { data } = await state.getStateAndEtag<Order>(STORE, key(orderId)).catch(rethrow);
  return data;
}

function rethrow(error: unknown): never {
  throw ofState(error);
}
