"""JSON documents in the state store."""

from __future__ import annotations

import json
from typing import Any

import grpc
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._state import Concurrency, StateOptions

from .failure import Failure

STORE = "statestore"
FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write)


def find(key: str) -> tuple[Any, str | None]:
    """The document and its version; nothing twice if there is none."""
    try:
        with DaprClient() as client:
            found = client.get_state(STORE, key)
    except DaprGrpcError as error:
        raise Failure.of_state(error) from None
    return (json.loads(found.data), found.etag) if found.data else (None, None)


def put(key: str, document: Any, metadata: dict[str, str] | None = None) -> None:
    """Replaces a document, whatever it was: the last writer wins."""
    try:
        with DaprClient() as client:
            client.save_state(STORE, key, json.dumps(document), state_metadata=metadata)
    except DaprGrpcError as error:
        raise Failure.of_state(error) from None


def put_first(key: str, document: Any, etag: str | None, metadata: dict[str, str] | None = None) -> bool:
    """Writes a document if its version is still this one, or if it is absent. False: somebody else was faster."""
    try:
        with DaprClient() as client:
            client.save_state(STORE, key, json.dumps(document), etag, FIRST_WRITE, metadata)
    except DaprGrpcError as error:
        if error.code() is grpc.StatusCode.ABORTED:
            return False
        raise Failure.of_state(error) from None
    return True
