"""What calls give, and what handlers answer."""

from __future__ import annotations

import json
from enum import Enum

from ._data import Body, Pairs, as_dict, to_text

_as_dict = as_dict


class DaprResponse:
    """What has come back, with headers."""

    def __init__(self, headers: Pairs = ()):
        self.headers = headers

    def get_headers(self, as_dict: bool = False):
        """The headers, as pairs or as lists by name."""
        return _as_dict(self.headers) if as_dict else self.headers


class _Content:
    """Reads `data`."""

    data: bytes

    def text(self) -> str:
        return to_text(self.data)

    def json(self):
        return json.loads(to_text(self.data))


class StateResponse(_Content, DaprResponse):
    """A value. Without bytes and etag if there is none."""

    def __init__(self, data: str | bytes, etag: str = "", headers: Pairs = ()):
        super().__init__(headers)
        self.data = data
        self.etag = etag


class BulkStateItem(_Content):
    """A value of `get_bulk_state`, or why it could not be read."""

    def __init__(self, key: str, data: str | bytes, etag: str = "", error: str = ""):
        self.key = key
        self.data = data
        self.etag = etag
        self.error = error


class BulkStatesResponse(DaprResponse):
    def __init__(self, items, headers: Pairs = ()):
        super().__init__(headers)
        self.items = items


class GetSecretResponse(DaprResponse):
    def __init__(self, secret: dict[str, str], headers: Pairs = ()):
        super().__init__(headers)
        self.secret = secret


class GetBulkSecretResponse(DaprResponse):
    def __init__(self, secrets: dict[str, dict[str, str]], headers: Pairs = ()):
        super().__init__(headers)
        self.secrets = secrets


class BulkPublishResponseFailedEntry:
    """A message that was not taken."""

    def __init__(self, entry_id: str, error: str):
        self.entry_id = entry_id
        self.error = error


class BulkPublishResponse(DaprResponse):
    def __init__(self, failed_entries=(), headers: Pairs = ()):
        super().__init__(headers)
        self.failed_entries = list(failed_entries)


class InvokeMethodResponse(Body, _Content, DaprResponse):
    """The answer of another app, or of a method of this one."""

    def __init__(self, data=None, content_type: str | None = None, headers: Pairs = (), status_code: int | None = None):
        super().__init__(headers)
        self.content_type = content_type
        self.status_code = status_code
        self.set_data(data)

    @property
    def headers(self) -> Pairs:
        return self._headers

    @headers.setter
    def headers(self, pairs) -> None:
        # The official SDK takes one pair for a list of one.
        single = len(pairs) == 2 and all(isinstance(part, str) for part in pairs)
        self._headers = (tuple(pairs),) if single else tuple(pairs)


class TopicEventResponseStatus(Enum):
    """What becomes of a message."""

    success = 0
    retry = 1
    drop = 2


class TopicEventResponse(DaprResponse):
    """The answer of a handler of a topic."""

    def __init__(self, status: str | TopicEventResponseStatus, headers: Pairs = ()):
        super().__init__(headers)
        if isinstance(status, str):
            if status not in TopicEventResponseStatus.__members__:
                raise KeyError(f"the status {status!r} should be one of success, retry, drop")
            status = TopicEventResponseStatus[status]
        self.status = status
