"""What was done in the world for an order: each effect once, however often its activity ran."""

from __future__ import annotations

from . import documents
from .failure import Failure

ATTEMPTS_MAX = 100


def note(order_id: str, effect: str, idempotency_key: str) -> None:
    """Notes that an activity has had its effect; a key that is known is the same effect once more."""
    for _ in range(ATTEMPTS_MAX):
        entries, etag = _find(order_id)
        known = next((entry for entry in entries if entry["key"] == idempotency_key), None)
        if known:
            known["attempts"] += 1
        else:
            entries.append({"effect": effect, "key": idempotency_key, "attempts": 1})
        if documents.put_first(_key(order_id), {"entries": entries}, etag):
            return
    raise Failure.unavailable("the ledger is being written by others")


def read(order_id: str) -> dict:
    """What was done for an order."""
    entries, _ = _find(order_id)
    return {"entries": entries}


def _key(order_id: str) -> str:
    return f"ledger-{order_id}"


def _find(order_id: str) -> tuple[list[dict], str | None]:
    document, etag = documents.find(_key(order_id))
    return (document["entries"] if document else []), etag
