"""Requests and responses over the streams of wasi:http."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from componentize_py_types import Err, Ok
from wit_world.imports.wasi_http_types_0_2_12 import (
    Fields,
    IncomingBody,
    IncomingRequest,
    Method_Other,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)
from wit_world.imports.wasi_io_streams_0_2_12 import StreamError_Closed

READ_SIZE = 64 * 1024
# blocking_write_and_flush takes no more at once.
MAX_WRITE = 4096


@dataclass
class Request:
    """A request, read to its end."""

    verb: str
    path: str
    query: str
    authority: str
    # Names in lower case.
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for known, value in self.headers if known == name), None)


@dataclass
class Response:
    """An answer. Its body is written piece by piece."""

    status: int
    headers: list[tuple[str, str]]
    body: Iterable[bytes]


def read_request(request: IncomingRequest) -> Request:
    """Takes a request off the wire."""
    path, _, query = (request.path_with_query() or "/").partition("?")
    with request.headers() as fields:
        headers = [(name.lower(), value.decode("latin-1")) for name, value in fields.entries()]
    method = request.method()
    verb = method.value if isinstance(method, Method_Other) else type(method).__name__.removeprefix("Method_").upper()
    return Request(verb, path, query, request.authority() or "localhost", headers, _read_body(request))


def _read_body(request: IncomingRequest) -> bytes:
    body = request.consume()
    chunks = []
    with body.stream() as stream:
        try:
            while True:
                chunks.append(stream.blocking_read(READ_SIZE))
        except Err as error:
            if not isinstance(error.value, StreamError_Closed):
                raise
    with IncomingBody.finish(body):
        return b"".join(chunks)


def send_response(response: Response, outparam: ResponseOutparam) -> None:
    """Puts an answer on the wire."""
    fields = [(name, value.encode("latin-1")) for name, value in response.headers]
    outgoing = OutgoingResponse(Fields.from_list(fields))
    outgoing.set_status_code(response.status)
    body = outgoing.body()
    ResponseOutparam.set(outparam, Ok(outgoing))
    with body.write() as stream:
        for chunk in response.body:
            for start in range(0, len(chunk), MAX_WRITE):
                stream.blocking_write_and_flush(chunk[start : start + MAX_WRITE])
    OutgoingBody.finish(body, None)
