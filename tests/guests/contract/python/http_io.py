"""Requests and responses in one piece, over the streams of wasi:http."""

from __future__ import annotations

from dataclasses import dataclass

from componentize_py_types import Err, Ok
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.wasi_http_types import (
    Fields,
    IncomingBody,
    IncomingRequest,
    Method,
    Method_Other,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)

# blocking_write_and_flush takes no more at once.
MAX_WRITE = 4096


@dataclass
class Request:
    verb: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @classmethod
    def read(cls, request: IncomingRequest) -> Request:
        path, _, query = (request.path_with_query() or "").partition("?")
        with request.headers() as fields:
            headers = {name.lower(): value.decode() for name, value in fields.entries()}
        return cls(verb(request.method()), path, query, headers, read_body(request))


def verb(method: Method) -> str:
    if isinstance(method, Method_Other):
        return method.value
    return type(method).__name__.removeprefix("Method_").upper()


def read_body(request: IncomingRequest) -> bytes:
    body = request.consume()
    chunks = []
    with body.stream() as stream:
        try:
            while True:
                chunks.append(stream.blocking_read(64 * 1024))
        except Err as error:
            if not isinstance(error.value, StreamError_Closed):
                raise
    with IncomingBody.finish(body):
        return b"".join(chunks)


@dataclass
class Response:
    status: int
    body: bytes

    @classmethod
    def not_found(cls) -> Response:
        return cls(404, b'{"error":"not found"}')

    def send(self, outparam: ResponseOutparam) -> None:
        response = OutgoingResponse(Fields.from_list([("content-type", b"application/json")]))
        response.set_status_code(self.status)
        body = response.body()
        ResponseOutparam.set(outparam, Ok(response))
        with body.write() as stream:
            for start in range(0, len(self.body), MAX_WRITE):
                stream.blocking_write_and_flush(self.body[start : start + MAX_WRITE])
        OutgoingBody.finish(body, None)
