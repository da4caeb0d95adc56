"""ASGI 3: Starlette, Quart and others, one request at a time."""

from __future__ import annotations

import inspect
from urllib.parse import unquote

from .wire import Request, Response


def is_application(value) -> bool:
    """Whether a callable is an ASGI application and not a WSGI one."""
    return inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(getattr(value, "__call__", None))


def call(application, request: Request) -> Response:
    """Answers a request by an ASGI application."""
    from .loop import run

    sent: list[dict] = []
    incoming = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive():
        return incoming.pop() if incoming else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    run(application(scope(request), receive, send))
    start = next((message for message in sent if message["type"] == "http.response.start"), None)
    if start is None:
        raise RuntimeError("the application has sent no response")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start.get("headers", [])]
    body = [bytes(message.get("body", b"")) for message in sent if message["type"] == "http.response.body"]
    return Response(start["status"], headers, body)


def scope(request: Request) -> dict:
    """A request as ASGI has it."""
    host, _, port = request.authority.partition(":")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.verb,
        "scheme": "http",
        "path": unquote(request.path),
        "raw_path": request.path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
        "client": None,
        "server": (host, int(port or 80)),
    }
