"""The guest's HTTP door: calls of methods go to their handlers, everything else to the program's own application."""

from __future__ import annotations

import json
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
        handler = methods.get(unquote(request.path).strip("/"))
        if handler:
            return _call(handler, request)
        if program.wsgi:
            return wsgi.call(program.wsgi, request)
        if program.asgi:
            return asgi.call(program.asgi, request)
    except Exception as error:
        log_failure(f"{request.verb} {request.path}", error)
        return _problem(500, "internal", f"the handler of {request.verb} {request.path} failed")
    return _problem(404, "not-found", f"nothing answers {request.verb} {request.path}")


def _call(handler, request: Request) -> Response:
    invoked = InvokeMethodRequest(request.body, request.header("content-type"))
    invoked.metadata = tuple(request.headers)
    invoked.http_verb = request.verb
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
