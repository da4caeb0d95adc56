"""Invokes the shop as somebody writes it for Dapr: nothing here knows of berth. Its last line is what it saw."""

import json

from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprInternalError

INVENTORY = "inventory-service"


def main() -> None:
    # The constructor waits until /v1.0/healthz/outbound answers.
    with DaprClient() as client:

        def call(verb: str, method: str, data: dict | None = None):
            return client.invoke_method(
                INVENTORY,
                method,
                data=json.dumps(data) if data is not None else b"",
                content_type="application/json",
                http_verb=verb,
            )

        stocked = call("PUT", "inventory/mug", {"qty": 10})
        order = {"orderId": "python-1", "items": [{"sku": "mug", "qty": 3}]}
        reserved = call("POST", "reserve", order).json()
        left = call("GET", "inventory/mug")
        try:
            client.invoke_method("no-such-app", "method", data=b"", http_verb="GET")
            unknown = None
        except DaprInternalError as error:
            unknown = error.as_dict()["errorCode"]
    print(
        json.dumps(
            {
                "stocked": stocked.status_code,
                "left": left.json(),
                "contentType": left.content_type,
                "reserved": reserved["status"] == "reserved",
                "unknownApp": unknown,
            }
        )
    )


main()
