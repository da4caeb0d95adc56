"""Calls to other apps."""

from __future__ import annotations

import http
import json
from urllib.parse import urlencode

from berth_guest.phase import require_service
from componentize_py_types import Err
from wit_world.imports import berth_invocation_invoker_0_1_0 as wit

from ..exceptions import DaprHttpError, reason_of
from ._data import to_bytes
from ._response import InvokeMethodResponse

_JSON_TYPE = "application/json"
# What a sidecar answers for a call that it could not deliver.
_NOT_DELIVERED = "ERR_DIRECT_INVOKE"
_STATUS = {"not-found": 404, "denied": 403, "invalid": 400, "unavailable": 503, "timeout": 504, "too-large": 413}


class InvokeCalls:
    """The call of `DaprClient` to other apps."""

    def invoke_method(
        self,
        app_id,
        method_name,
        data="",
        content_type=None,
        metadata=None,
        http_verb=None,
        http_querystring=None,
        timeout=None,
    ) -> InvokeMethodResponse:
        """Calls a method of an app, by GET unless a verb is given. Raises DaprHttpError if the answer is no success."""
        require_service("DaprClient.invoke_method")
        request = wit.Request(
            method=method_name,
            verb=(http_verb or "GET").upper(),
            headers=_headers(metadata, content_type),
            query=urlencode(http_querystring) if http_querystring else None,
            body=to_bytes(data),
            timeout_ms=None if timeout is None else int(timeout * 1000),
            metadata=[],
        )
        try:
            response = wit.invoke(app_id, request)
        except Err as error:
            raise _undelivered(error.value) from None
        if not 200 <= response.status < 300:
            raise DaprHttpError(None, response.body, response.status, _phrase(response.status))
        given = dict((name.lower(), value) for name, value in response.headers)
        return InvokeMethodResponse(
            response.body, given.get("content-type"), tuple(response.headers), response.status
        )


def _headers(metadata, content_type) -> list[tuple[str, str]]:
    headers = [(name, value.decode() if isinstance(value, bytes) else str(value)) for name, value in metadata or ()]
    if content_type or not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", content_type or _JSON_TYPE))
    return headers


def _undelivered(case) -> DaprHttpError:
    status = _STATUS.get(reason_of(case), 500)
    body = json.dumps({"errorCode": _NOT_DELIVERED, "message": case.value}).encode()
    return DaprHttpError(None, body, status, _phrase(status))


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""
