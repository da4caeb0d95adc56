"""`/orders`."""

from __future__ import annotations

import uuid

from . import documents, inventory, payment, topic
from .failure import Failure
from .order import read_order
from .web import Answer, Request


def place(request: Request) -> Answer:
    """Takes an order.

    Each step can be repeated and the answer comes last. Whoever hears nothing, because the host died between any two steps,
    sends the order again, and it goes on where it stopped: stock is reserved once per order ID, the order is stored once, and
    it is announced until it is known to be.
    """
    asked = read_order(request.json(), lambda: uuid.uuid4().hex)
    payment.check()
    order = _find(asked["orderId"]) or _reserve_and_save(asked)
    if order["status"] == "placed":
        order["status"] = "confirmed"
        topic.announce(order)
        documents.put(_key(order["orderId"]), order)
    return Answer(201, order)


def show(order_id: str) -> Answer:
    """Shows an order."""
    order = _find(order_id)
    if order is None:
        raise Failure.not_found(f"there is no order {order_id}")
    return Answer(200, order)


def _reserve_and_save(order: dict) -> dict:
    inventory.reserve(order)
    if documents.put_first(_key(order["orderId"]), order, None):
        return order
    # The same order came twice at once; the other one was stored first.
    stored = _find(order["orderId"])
    if stored is None:
        raise Failure.unavailable("the order is being changed")
    return stored


def _key(order_id: str) -> str:
    return f"order-{order_id}"


def _find(order_id: str) -> dict | None:
    order, _ = documents.find(_key(order_id))
    return order
