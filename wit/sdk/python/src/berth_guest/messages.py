"""The guest's exports for messages."""

from __future__ import annotations

import base64
import json

from cloudevents.sdk.event import v1
from dapr.clients.grpc._response import TopicEventResponse, TopicEventResponseStatus
from wit_world.exports import berth_pubsub_subscriptions_0_1_0 as declared
from wit_world.exports.berth_pubsub_subscriber_0_1_0 import Delivery, Outcome

from . import http
from .log import log_failure
from .phase import enter_service
from .registry import DEFAULT_ROUTE, program, topics
from .wire import Request

OUTCOMES = {
    TopicEventResponseStatus.success: Outcome.SUCCESS,
    TopicEventResponseStatus.retry: Outcome.RETRY,
    TopicEventResponseStatus.drop: Outcome.DROP,
}


class BerthPubsubSubscriptions010:
    """Exported."""

    def declare(self):
        enter_service()
        return [
            declared.Subscription(
                pubsub=topic.pubsub,
                topic=topic.topic,
                rules=[declared.Rule(match=match, path=route) for _, match, route in topic.rules],
                default_route=DEFAULT_ROUTE if topic.has_default else None,
                dead_letter_topic=topic.dead_letter_topic,
                bulk=None,
                metadata=sorted(topic.metadata.items()),
            )
            for topic in topics.values()
        ]


class BerthPubsubSubscriber010:
    """Exported."""

    def handle(self, delivery: Delivery) -> Outcome:
        enter_service()
        what = f"message {delivery.event.id} of {delivery.pubsub}/{delivery.topic}"
        try:
            handler = _handler(delivery)
            if handler:
                return _outcome(handler(event(delivery)))
            if program.wsgi or program.asgi:
                return _post(delivery)
        except Exception as error:
            log_failure(what, error)
            return Outcome.RETRY
        log_failure(what, LookupError(f"no handler for the route {delivery.route}: the message is dropped"))
        return Outcome.DROP


def _handler(delivery: Delivery):
    """A subscription document has routes of its own, of which the program knows nothing: its default handlers take them."""
    route = delivery.route.strip("/") or DEFAULT_ROUTE
    topic = topics.get((delivery.pubsub, delivery.topic))
    if topic:
        return topic.handlers.get(route) or topic.handlers.get(DEFAULT_ROUTE)
    others = (other for other in topics.values() if other.pubsub == delivery.pubsub)
    return next((other.handlers[route] for other in others if route in other.handlers), None)


def _outcome(given) -> Outcome:
    return OUTCOMES[given.status] if isinstance(given, TopicEventResponse) else Outcome.SUCCESS


def event(delivery: Delivery) -> v1.Event:
    """The event as the official SDK hands it out: the topic is its subject, the data are bytes."""
    given = delivery.event
    made = v1.Event()
    made.SetEventType(given.event_type)
    made.SetEventID(given.id)
    made.SetSource(given.source)
    made.SetData(given.data)
    made.SetContentType(given.data_content_type or "")
    made.SetSubject(delivery.topic)
    if given.time:
        made.SetEventTime(given.time)
    metadata = {f"_metadata_{name}": value for name, value in delivery.metadata}
    made.SetExtensions(dict(given.extensions) | metadata)
    return made


def _post(delivery: Delivery) -> Outcome:
    """A program that has routes of its own for messages, as beside a sidecar."""
    body = json.dumps(_cloud_event(delivery)).encode()
    headers = [("content-type", "application/cloudevents+json"), ("content-length", str(len(body)))]
    path = "/" + delivery.route.lstrip("/")
    response = http.answer(Request("POST", path, "", "guest", headers, body))
    if response.status == 404:
        return Outcome.DROP
    if not 200 <= response.status < 300:
        return Outcome.RETRY
    status = _status(b"".join(response.body))
    return {"RETRY": Outcome.RETRY, "DROP": Outcome.DROP}.get(status, Outcome.SUCCESS)


def _status(body: bytes):
    try:
        answered = json.loads(body)
    except ValueError:
        return None
    return answered.get("status") if isinstance(answered, dict) else None


def _cloud_event(delivery: Delivery) -> dict:
    given = delivery.event
    attributes = {
        "id": given.id,
        "source": given.source,
        "type": given.event_type,
        "specversion": given.spec_version,
        "subject": given.subject,
        "time": given.time,
        "datacontenttype": given.data_content_type,
    }
    present = {name: value for name, value in attributes.items() if value is not None}
    return dict(given.extensions) | present | _data(given)


def _data(given) -> dict:
    try:
        text = given.data.decode()
        is_json = "json" in (given.data_content_type or "")
        return {"data": json.loads(text) if is_json else text}
    except ValueError:
        return {"data_base64": base64.b64encode(given.data).decode()}
