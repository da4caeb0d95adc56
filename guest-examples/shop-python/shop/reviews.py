"""Reviews, which come as messages on the topic `reviews`: `{"id": "1", "text": "..."}`.

Some texts break the handler, to show what becomes of such a message: `hesitate` raises once, `throw` always, `trap` ends the
guest, `loop` never ends by itself. All but the first are dead letters after the attempts that the shop's resiliency policy
allows.
"""

from __future__ import annotations

import json
import os

from cloudevents.sdk.event import v1
from dapr.ext.grpc import App

from . import documents
from .failure import Failure
from .web import Answer

ATTEMPTS_MAX = 100

messages = App()


@messages.subscribe("pubsub", "reviews", dead_letter_topic="reviews-dlq")
def keep(event: v1.Event) -> None:
    kept = _count(json.loads(event.Data()))
    text = kept["text"]
    if text == "hesitate" and kept["deliveries"] == 1:
        raise RuntimeError("a second thought")
    if text == "throw":
        raise RuntimeError("this review is never kept")
    if text == "trap":
        os.abort()
    while text == "loop":
        pass


def show(review_id: str) -> Answer:
    """Shows a review that has come."""
    kept, _ = documents.find(_key(review_id))
    if kept is None:
        raise Failure.not_found(f"there is no review {review_id}")
    return Answer(200, kept)


def _count(review: dict) -> dict:
    """Notes that it came once more."""
    for _ in range(ATTEMPTS_MAX):
        known, etag = documents.find(_key(review["id"]))
        deliveries = known["deliveries"] + 1 if known else 1
        kept = {"id": review["id"], "text": review["text"], "deliveries": deliveries}
        if documents.put_first(_key(review["id"]), kept, etag):
            return kept
    raise Failure.unavailable("the review is being written by others")


def _key(review_id: str) -> str:
    return f"review-{review_id}"
