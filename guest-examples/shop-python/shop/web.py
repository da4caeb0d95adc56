"""Requests and answers, over WSGI."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from .failure import Failure

# Largest request body that the shop reads.
BODY_BYTES_MAX = 1024 * 1024


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Request:
    """What was asked."""

    def __init__(self, environ: dict) -> None:
        self._environ = environ
        self.verb: str = environ["REQUEST_METHOD"]
        # WSGI has the bytes of the path as latin-1.
        self.path: str = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")

    @property
    def segments(self) -> list[str]:
        return [segment for segment in self.path.split("/") if segment]

    def header(self, name: str) -> str | None:
        return self._environ.get(f"HTTP_{name.upper().replace('-', '_')}")

    def json(self) -> Any:
        """The body, not yet checked: see Field."""
        read = self._environ["wsgi.input"].read()
        if len(read) > BODY_BYTES_MAX:
            raise Failure(413, "too-large", f"the body exceeds {BODY_BYTES_MAX} bytes")
        try:
            return json.loads(read.decode(), parse_constant=_no_constant)
        except ValueError as error:
            raise Failure.invalid("body", f"must be JSON: {error}") from None


def answer(environ: dict, start_response: Callable, route: Callable[[Request], Answer]) -> list[bytes]:
    """Answers a request by a route; a failure that the route raises is an answer, too."""
    request = Request(environ)
    try:
        answered = route(request)
    except Failure as failure:
        if failure.status >= 500:
            print(f"{request.verb} {request.path}: {failure}", file=sys.stderr)
        answered = Answer(failure.status, failure.body, {"retry-after": "1"} if failure.status == 503 else {})
    headers = {"content-type": "application/json"} | answered.headers
    start_response(f"{answered.status} {HTTPStatus(answered.status).phrase}", list(headers.items()))
    return [json.dumps(answered.body).encode()]


def unmatched(request: Request) -> Failure:
    """What to answer when no route matches."""
    return Failure.not_found(f"nothing answers {request.verb} {request.path}")


def _no_constant(name: str):
    raise ValueError(f"{name} is no JSON")
