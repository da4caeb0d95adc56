"""Keeps the messages of a topic."""

import json

from cloudevents.sdk.event import v1
from dapr.clients import DaprClient
from dapr.ext.grpc import App, InvokeMethodRequest, InvokeMethodResponse

STORE = "statestore"


def offer(app: App) -> None:
    """Subscribes to the topic `messages`; `GET /messages/{id}` shows one that has come."""

    # A message may come more than once: to write the same again does no harm. One whose handler raises comes again.
    @app.subscribe("pubsub", "messages")
    def received(event: v1.Event) -> None:
        message = json.loads(event.Data())
        with DaprClient() as client:
            client.save_state(STORE, key(message["id"]), event.Data())
        print("received", message["id"])

    @app.method("messages/{id}")
    def show(request: InvokeMethodRequest) -> InvokeMethodResponse:
        with DaprClient() as client:
            message = client.get_state(STORE, key(request.params["id"])).data
        if not message:
            return InvokeMethodResponse("no such message\n", "text/plain", status_code=404)
        return InvokeMethodResponse(message, "application/json")


def key(message_id: str) -> str:
    return f"message-{message_id}"
