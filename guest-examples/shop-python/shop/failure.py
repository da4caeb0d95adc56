"""What a caller is told when something went wrong."""

from __future__ import annotations

import json

import grpc
from dapr.clients.exceptions import DaprGrpcError

_OF_STATE = {
    grpc.StatusCode.ABORTED: (409, "conflict"),
    grpc.StatusCode.INVALID_ARGUMENT: (400, "invalid"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (413, "too-large"),
    grpc.StatusCode.UNAVAILABLE: (503, "unavailable"),
    grpc.StatusCode.DEADLINE_EXCEEDED: (504, "timeout"),
}


class Failure(Exception):
    """An answer that is no success: a status, a short code for programs, a sentence for people."""

    def __init__(self, status: int, code: str, message: str, **more) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": code, "message": message} | more

    @property
    def kind(self) -> str:
        """What a workflow sees of an activity that failed with it."""
        return self.body["error"]

    @property
    def non_retryable(self) -> bool:
        """What the world refuses it will refuse again; everything else may pass."""
        return 400 <= self.status < 500

    @classmethod
    def invalid(cls, field: str, message: str) -> Failure:
        """The caller must change this field, such as `items[0].qty`."""
        return cls(400, "invalid", message, field=field)

    @classmethod
    def not_found(cls, message: str) -> Failure:
        return cls(404, "not-found", message)

    @classmethod
    def conflict(cls, message: str) -> Failure:
        return cls(409, "conflict", message)

    @classmethod
    def unavailable(cls, message: str) -> Failure:
        """Nothing is wrong with the request; it may be sent again."""
        return cls(503, "unavailable", message)

    @classmethod
    def passed_on(cls, status: int, body: bytes) -> Failure:
        """What another service answered, passed on as it is."""
        answered = json.loads(body)
        return cls(status, answered.pop("error"), answered.pop("message"), **answered)

    @classmethod
    def of_state(cls, error: DaprGrpcError) -> Failure:
        """What a failed call of the state store means to the caller."""
        # The operator's to mend, not the caller's: a store that is missing, or that this app must not use.
        status, code = _OF_STATE.get(error.code(), (500, "state"))
        return cls(status, code, error.details())
