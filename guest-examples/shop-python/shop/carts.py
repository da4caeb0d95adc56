"""`/carts`: any JSON object, kept for an hour after its last change."""

from __future__ import annotations

from . import documents
from .failure import Failure
from .field import Field
from .merge_patch import merge
from .web import Answer, Request

FOR_AN_HOUR = {"ttlInSeconds": "3600"}


def put(user: str, request: Request) -> Answer:
    """Replaces the cart, whatever it held: the last writer wins."""
    cart = Field(request.json()).object()
    documents.put(_key(user), cart, FOR_AN_HOUR)
    return Answer(200, cart)


def show(user: str) -> Answer:
    """Shows the cart, and its version in `ETag`."""
    cart, etag = _find(user)
    return Answer(200, cart, {"etag": f'"{etag}"'})


def patch(user: str, request: Request) -> Answer:
    """Merges changes into the cart. The first writer wins: a cart that changed since the version in `If-Match`, or since it
    was read here, is a conflict."""
    changes = Field(request.json()).object()
    cart, etag = _find(user)
    expected = expected_etag(request.header("if-match"))
    if expected is not None and expected != etag:
        raise _changed(user)
    merged = merge(cart, changes)
    if not documents.put_first(_key(user), merged, etag, FOR_AN_HOUR):
        raise _changed(user)
    return Answer(200, merged)


def expected_etag(if_match: str | None) -> str | None:
    """The version that a caller insists on: `"17"`, `W/"17"` or a bare `17`. `*` is any version."""
    if if_match is None:
        return None
    etag = if_match.strip().removeprefix("W/").strip('"')
    return None if etag == "*" else etag


def _key(user: str) -> str:
    return f"cart-{user}"


def _find(user: str) -> tuple[dict, str]:
    cart, etag = documents.find(_key(user))
    if cart is None:
        raise Failure.not_found(f"{user} has no cart")
    return cart, etag


def _changed(user: str) -> Failure:
    return Failure.conflict(f"the cart of {user} was changed by somebody else: read it again, then decide")
