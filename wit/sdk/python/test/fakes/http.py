"""A request, and what is answered to it."""

from componentize_py_types import Err, Ok
from wit_world.imports import wasi_http_types_0_2_12 as wit
from wit_world.imports.wasi_io_streams_0_2_12 import StreamError_Closed


class Scoped:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Fields(Scoped):
    def __init__(self, entries):
        self.list = entries

    def entries(self):
        return self.list

    @staticmethod
    def from_list(entries):
        return Fields(entries)


class Input(Scoped):
    def __init__(self, chunks):
        self.chunks = chunks

    def blocking_read(self, size):
        if not self.chunks:
            raise Err(StreamError_Closed())
        return self.chunks.pop(0)


class IncomingBody(Scoped):
    def __init__(self, chunks):
        self.chunks = chunks

    def stream(self):
        return Input(self.chunks)

    @staticmethod
    def finish(body):
        return Scoped()


class Request:
    """Comes in."""

    def __init__(self, verb, path, headers=(), *chunks):
        self.verb, self.path, self.chunks = verb, path, list(chunks)
        self.fields = Fields([(name, value.encode()) for name, value in headers])

    def method(self):
        known = getattr(wit, f"Method_{self.verb.capitalize()}", None)
        return known() if known else wit.Method_Other(self.verb)

    def path_with_query(self):
        return self.path

    def authority(self):
        return "shop.example"

    def headers(self):
        return self.fields

    def consume(self):
        return IncomingBody(self.chunks)


class Response:
    def __init__(self, fields):
        self.headers = {name: value.decode() for name, value in fields.list}
        self.status, self.bytes = 200, b""

    def set_status_code(self, status):
        self.status = status

    def body(self):
        return self

    def write(self):
        return Output(self)


class Output(Scoped):
    def __init__(self, response):
        self.response = response

    def blocking_write_and_flush(self, chunk):
        assert len(chunk) <= 4096, "the host takes no more at once"
        self.response.bytes += chunk


class Outparam:
    @staticmethod
    def set(outparam, result):
        assert isinstance(result, Ok)
        outparam.append(result.value)


class OutgoingBody:
    @staticmethod
    def finish(body, trailers):
        pass


wit.Fields, wit.IncomingBody, wit.OutgoingResponse = Fields, IncomingBody, Response
wit.OutgoingBody, wit.ResponseOutparam = OutgoingBody, Outparam


def send(verb, path, headers=(), *chunks):
    """Sends a request to the guest, and gives its answer."""
    from berth_guest.http import WasiHttpIncomingHandler0212

    answered = []
    WasiHttpIncomingHandler0212().handle(Request(verb, path, headers, *chunks), answered)
    return answered[0]
