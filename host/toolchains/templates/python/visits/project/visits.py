"""Counts visits in the state store."""

import json

import grpc
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._state import Concurrency, StateOptions
from dapr.ext.grpc import App, InvokeMethodRequest

STORE = "statestore"
KEY = "visits"
ATTEMPTS_MAX = 100
FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write)


def offer(app: App) -> None:
    """`POST /visits` counts one more, `GET /visits` tells how many there were."""

    @app.method("visits")
    def visits(request: InvokeMethodRequest) -> str:
        return json.dumps({"visits": count() if request.http_verb == "POST" else read()[0]})


def read() -> tuple[int, str | None]:
    """How many, and the version of that number."""
    with DaprClient() as client:
        found = client.get_state(STORE, KEY)
    return (int(found.data), found.etag) if found.data else (0, None)


def count() -> int:
    """Whoever reads a number and writes it again loses what others wrote in between, unless the etag says that nobody did."""
    for _ in range(ATTEMPTS_MAX):
        visits, etag = read()
        try:
            with DaprClient() as client:
                client.save_state(STORE, KEY, str(visits + 1), etag=etag, options=FIRST_WRITE)
        except DaprGrpcError as error:
            if error.code() is not grpc.StatusCode.ABORTED:
                raise
        else:
            return visits + 1
    raise RuntimeError("too many visitors at once")
