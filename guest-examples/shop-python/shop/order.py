"""What an order is, and what it takes to be one: `placed` is stored, but perhaps nobody has been told; `confirmed` has been
announced on the topic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .field import Field

ITEMS_MAX = 100
QTY_MAX = 1_000_000
TOTAL_CENTS_MAX = 100_000_000_000
CUSTOMER_LENGTH_MAX = 128


def read_order(value: Any, new_id: Callable[[], str]) -> dict:
    """Reads an order out of a request's body, as it is stored, announced and answered. One without an ID gets a new one."""
    body = Field(value)
    body.object()
    order_id = body.get("orderId")
    return {
        "orderId": new_id() if order_id.is_absent else order_id.id(),
        "customerId": body.get("customerId").text(CUSTOMER_LENGTH_MAX),
        "items": body.get("items").list(1, ITEMS_MAX, _read_item),
        "totalCents": body.get("totalCents").whole(0, TOTAL_CENTS_MAX),
        "status": "placed",
    }


def _read_item(item: Field) -> dict:
    return {"sku": item.get("sku").id(), "qty": item.get("qty").whole(1, QTY_MAX)}
