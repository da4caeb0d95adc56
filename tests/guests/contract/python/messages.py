"""The subscription, what arrives through it, and /received/{id}."""

import json

from componentize_py_types import Err
from http_io import Response
from wit_world.exports.subscriber import Delivery, Outcome
from wit_world.exports.subscriptions import Rule, Subscription
from wit_world.imports import berth_state_store as state

SUBSCRIPTIONS = [
    Subscription(
        pubsub="pubsub",
        topic="contract",
        rules=[Rule(match='event.type == "special"', path="special")],
        default_route="default",
        dead_letter_topic="contract-dlq",
        bulk=None,
        metadata=[],
    )
]

OUTCOMES = {b"drop": Outcome.DROP, b"retry": Outcome.RETRY}


def handle(delivery: Delivery) -> Outcome:
    try:
        remember(delivery)
    except Err:
        return Outcome.RETRY
    return OUTCOMES.get(delivery.event.data, Outcome.SUCCESS)


def remember(delivery: Delivery) -> None:
    event = delivery.event
    received = {
        "id": event.id,
        "type": event.event_type,
        "source": event.source,
        "route": delivery.route,
        "attempt": delivery.attempt,
        "data": event.data.decode(errors="replace"),
    }
    value = json.dumps(received, separators=(",", ":")).encode()
    options = state.SetOptions(None, None, None, None, content_type="application/json", metadata=[])
    with state.open("statestore") as store:
        store.set(key(event.id), value, options)


def answer(event_id: str) -> Response:
    try:
        with state.open("statestore") as store:
            entry = store.get(key(event_id), state.GetOptions(None, []))
    except Err as error:
        return Response(500, json.dumps({"error": repr(error.value)}).encode())
    return Response(200, entry.value) if entry else Response.not_found()


def key(event_id: str) -> str:
    return f"received-{event_id}"
