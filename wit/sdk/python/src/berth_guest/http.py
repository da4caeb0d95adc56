"""The guest's HTTP door: calls of methods go to their handlers, everything else to the program's own application."""

from __future__ import annotations

import json
from itertools import zip_longest
from urllib.parse import parse_qsl, unquote

from dapr.clients.grpc._request import InvokeMethodRequest
from dapr.clients.grpc._response import InvokeMethodResponse

from . import asgi, wsgi
from .log import log_failure
from .phase import enter_service
from .registry import methods, program
from .wire import Request, Response, read_request, send_response

JSON_TYPE = "application/json"


class WasiHttpIncomingHandler0212:
    """Exported."""

    def handle(self, request, response_out):
        enter_service()
        send_response(answer(read_request(request)), response_out)


def answer(request: Request) -> Response:
    """Answers a request by whatever the program has for it."""
    try:
        handler, params = find(request.path)
        if handler:
            return _call(handler, request, params)
        if program.wsgi:
            return wsgi.call(program.wsgi, request)
        if program.asgi:
            return asgi.call(program.asgi, request)
    except Exception as error:
        log_failure(f"{request.verb} {request.path}", error)
        return _problem(500, "internal", f"the handler of {request.verb} {request.path} failed")
    return _problem(404, "not-found", f"nothing answers {request.verb} {request.path}")


def find(path: str):
    """The handler of a path, and what stands in the place of `{name}` in its own; a plain name goes first."""
    segments = [unquote(segment) for segment in path.strip("/").split("/")]
    plain = methods.get("/".join(segments))
    if plain:
        return plain, {}
    for name, handler in methods.items():
        params = _match(name.split("/"), segments)
        if params:
            return handler, params
    return None, {}


def _match(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    params = {}
    for expected, segment in zip_longest(pattern, segments):
        if expected and segment and expected.startswith("{") and expected.endswith("}"):
            params[expected[1:-1]] = segment
        elif expected != segment:
            return None
    return params


def _call(handler, request: Request, params: dict[str, str]) -> Response:
    invoked = InvokeMethodRequest(request.body, request.header("content-type"))
    invoked.metadata = tuple(request.headers)
    invoked.http_verb = request.verb
    invoked.params = params
    invoked.http_querystring = tuple(parse_qsl(request.query, keep_blank_values=True))
    given = handler(invoked)
    # What the official SDK answers for nothing.
    if not isinstance(given, InvokeMethodResponse):
        given = InvokeMethodResponse(given if given else b"", JSON_TYPE if given else None)
    headers = [(name, value) for name, value in given.headers if name.lower() != "content-type"]
    if given.content_type:
        headers.append(("content-type", given.content_type))
    return Response(given.status_code or 200, headers, [given.data])


def _problem(status: int, code: str, message: str) -> Response:
    body = json.dumps({"error": code, "message": message}).encode()
    return Response(status, [("content-type", JSON_TYPE)], [body])
