// What an order is, and what it takes to be one.

import { Field } from "./field";

const ITEMS_MAX = 100;
const QTY_MAX = 1_000_000;
const TOTAL_CENTS_MAX = 100_000_000_000;
const CUSTOMER_LENGTH_MAX = 128;

export interface Item {
  sku: string;
  qty: number;
}

/** An order, as it is stored, announced and answered. */
export interface Order {
  orderId: string;
  customerId: string;
  items: Item[];
  totalCents: number;
  /** `placed`: stored, but perhaps nobody has been told. `confirmed`: it has been announced on the topic. */
  status: "placed" | "confirmed";
}

/** Reads an order out of a request's body. One without an ID gets a new one. */
export function readOrder(value: unknown, newId: () => string): Order {
  const body = Field.body(value);
  body.object();
  const orderId = body.get("orderId");
  return {
    orderId: orderId.isAbsent ? newId() : orderId.id(),
    customerId: body.get("customerId").text(CUSTOMER_LENGTH_MAX),
    items: body.get("items").list(1, ITEMS_MAX, readItem),
    totalCents: body.get("totalCents").whole(0, TOTAL_CENTS_MAX),
    status: "placed",
  };
}

function readItem(item: Field): Item {
  return { sku: item.get("sku").id(), qty: item.get("qty").whole(1, QTY_MAX) };
}
