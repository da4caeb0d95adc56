"""WSGI (PEP 3333): Flask, Bottle, Django and plain functions."""

from __future__ import annotations

import io
import sys
from urllib.parse import unquote_to_bytes

from .wire import Request, Response


def call(application, request: Request) -> Response:
    """Answers a request by a WSGI application."""
    started: list = []
    written: list[bytes] = []

    def start_response(status, headers, exc_info=None):
        if started and not exc_info:
            raise AssertionError("start_response is called again without exc_info")
        started[:] = [status, headers]
        return written.append

    result = application(environ(request), start_response)
    try:
        # An application may begin its answer as late as with the first piece.
        written.extend(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    status, headers = started
    return Response(int(status.split()[0]), [(name.lower(), value) for name, value in headers], written)


def environ(request: Request) -> dict:
    """A request as PEP 3333 has it."""
    host, _, port = request.authority.partition(":")
    variables = {
        "REQUEST_METHOD": request.verb,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_NAME": host,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "HTTP_HOST": request.authority,
    }
    for name, value in request.headers:
        variable = name.upper().replace("-", "_")
        if variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            variable = f"HTTP_{variable}"
        elif variable == "CONTENT_LENGTH":
            continue
        known = variables.get(variable) if name != "host" else None
        variables[variable] = value if known is None else f"{known},{value}"
    return variables
