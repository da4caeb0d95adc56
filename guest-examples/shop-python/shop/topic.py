"""The topic on which orders are announced."""

from __future__ import annotations

import json

from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError

from .failure import Failure


def announce(order: dict) -> None:
    """Publishes the order to `orders`. Repeating it is harmless: the event's ID is the order's, and whoever receives it must
    expect it more than once anyway."""
    metadata = {"cloudevent.id": f"order-{order['orderId']}", "cloudevent.type": "order.confirmed"}
    try:
        with DaprClient() as client:
            client.publish_event(
                "pubsub", "orders", json.dumps(order), publish_metadata=metadata, data_content_type="application/json"
            )
    except DaprGrpcError as error:
        raise Failure.unavailable(f"the order is stored but could not be announced: {error.details()}") from None
