"""What a failed call raises."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager

import grpc
from berth_guest.phase import require_service
from componentize_py_types import Err

ERROR_CODE_UNKNOWN = "UNKNOWN"
ERROR_CODE_DOES_NOT_EXIST = "ERR_DOES_NOT_EXIST"

_STATUS = {
    "not-found": grpc.StatusCode.NOT_FOUND,
    "conflict": grpc.StatusCode.ABORTED,
    "exists": grpc.StatusCode.ALREADY_EXISTS,
    "not-allowed": grpc.StatusCode.FAILED_PRECONDITION,
    "denied": grpc.StatusCode.PERMISSION_DENIED,
    "invalid": grpc.StatusCode.INVALID_ARGUMENT,
    "unavailable": grpc.StatusCode.UNAVAILABLE,
    "timeout": grpc.StatusCode.DEADLINE_EXCEEDED,
    "too-large": grpc.StatusCode.RESOURCE_EXHAUSTED,
}


class DaprInternalError(Exception):
    """The base of what the SDK itself raises."""

    def __init__(self, message, error_code=ERROR_CODE_UNKNOWN, raw_response_bytes=None):
        super().__init__(message)
        self.message = message
        self.error_code = error_code
        self.raw_response_bytes = raw_response_bytes

    def as_dict(self) -> dict:
        return {
            "message": self.message,
            "errorCode": self.error_code,
            "raw_response_bytes": self.raw_response_bytes,
        }

    def as_json_safe_dict(self) -> dict:
        safe = self.as_dict()
        if self.raw_response_bytes is not None:
            safe["raw_response_bytes"] = base64.b64encode(self.raw_response_bytes).decode()
        return safe

    def __str__(self) -> str:
        if self.error_code != ERROR_CODE_UNKNOWN:
            return f"('{self.message}', '{self.error_code}')"
        return self.message or "Unknown Dapr Error."


class DaprHttpError(DaprInternalError):
    """A call of another app that was not answered with a status of 2xx, or was not delivered: `ERR_DIRECT_INVOKE`."""

    def __init__(self, serializer=None, raw_response_bytes=None, status_code=None, reason=None):
        body = _json_object(raw_response_bytes)
        code = body.get("errorCode") or ERROR_CODE_UNKNOWN
        if not raw_response_bytes and status_code == 404:
            code = ERROR_CODE_DOES_NOT_EXIST
        super().__init__(body.get("message") or f"HTTP status code: {status_code}", code, raw_response_bytes or None)
        self.status_code = status_code
        self.reason = reason

    def as_dict(self) -> dict:
        return super().as_dict() | {"status_code": self.status_code, "reason": self.reason}

    def __str__(self) -> str:
        if self.error_code != ERROR_CODE_UNKNOWN:
            return f"{self.message} (Error Code: {self.error_code}, Status Code: {self.status_code})"
        return f"Unknown Dapr Error. HTTP status code: {self.status_code}."


class StatusDetails:
    """Details that a sidecar may send; berth has none."""

    error_info = retry_info = debug_info = quota_failure = precondition_failure = None
    bad_request = request_info = resource_info = help = localized_message = None

    def as_dict(self) -> dict:
        return {}


class DaprGrpcError(grpc.RpcError):
    """A call of a building block that failed. `reason`: the error case of the WIT, such as `conflict`."""

    def __init__(self, reason: str, message: str):
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self._message = message

    def code(self) -> grpc.StatusCode:
        return _STATUS.get(self.reason, grpc.StatusCode.INTERNAL)

    def details(self) -> str:
        return self._message

    def error_code(self) -> str:
        return ERROR_CODE_UNKNOWN

    def status_details(self) -> StatusDetails:
        return StatusDetails()

    def get_grpc_status(self) -> None:
        return None

    def json(self) -> str:
        return json.dumps(
            {
                "status_code": self.code().name,
                "message": self._message,
                "error_code": self.error_code(),
                "details": {},
            }
        )


def reason_of(case) -> str:
    """The name of an error case in the WIT: `Error_NotFound` is `not-found`."""
    name = type(case).__name__.removeprefix("Error_")
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


def error_of(case) -> DaprGrpcError:
    """An error of the WIT as the program sees it."""
    return DaprGrpcError(reason_of(case), str(case.value))


@contextmanager
def calling(what: str):
    """Surrounds a call of an import."""
    require_service(what)
    try:
        yield
    except Err as error:
        raise error_of(error.value) from None


def _json_object(raw) -> dict:
    try:
        found = json.loads(raw or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
