"""Calls to inventory-service. Both are safe to repeat: an order is reserved once, and released once."""

from __future__ import annotations

import json

from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprHttpError

from .failure import Failure

# Leaves this service time to answer within its own limit of five seconds.
TIMEOUT_S = 3
# Dapr's word for a call that did not reach the app.
NOT_DELIVERED = "ERR_DIRECT_INVOKE"


def reserve(order: dict) -> None:
    """Sets the order's items aside."""
    _ask("reserve", {"orderId": order["orderId"], "items": order["items"]})


def release(order_id: str) -> None:
    """Puts them back."""
    _ask("release", {"orderId": order_id})


def _ask(method: str, data: dict) -> None:
    try:
        with DaprClient() as client:
            client.invoke_method("inventory-service", method, json.dumps(data), http_verb="POST", timeout=TIMEOUT_S)
    except DaprHttpError as error:
        raise _understood(error) from None


def _understood(error: DaprHttpError) -> Failure:
    if error.error_code == NOT_DELIVERED:
        return Failure.unavailable(f"inventory-service cannot be asked: {error.message}")
    body = error.raw_response_bytes or b""
    # Out of stock, or too busy: inventory-service has said it best.
    if error.status_code in (409, 503):
        return Failure.passed_on(error.status_code, body)
    return Failure.unavailable(f"inventory-service answered {error.status_code}: {body.decode(errors='replace')}")
