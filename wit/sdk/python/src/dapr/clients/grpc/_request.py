"""What calls take, and what handlers are given."""

from __future__ import annotations

import uuid
from enum import Enum

from ._data import Body, Pairs, as_dict, to_bytes, to_text


class DaprRequest:
    """What has come in, with headers."""

    def __init__(self, metadata: Pairs = ()):
        self.metadata = metadata

    def get_metadata(self, as_dict: bool = False):
        """The headers, as pairs or as lists by name."""
        return _as_dict(self.metadata) if as_dict else self.metadata


_as_dict = as_dict


class InvokeMethodRequest(Body, DaprRequest):
    """A call of a method of this app."""

    def __init__(self, data=None, content_type: str | None = None):
        super().__init__()
        self.content_type = content_type
        self.http_verb: str | None = None
        self.http_querystring: Pairs = ()
        # What stands in the place of `{name}` in the method's name. Not in the official SDK.
        self.params: dict[str, str] = {}
        self.set_data(data)

    def is_http(self) -> bool:
        return self.http_verb is not None


class BindingRequest(DaprRequest):
    """Kept for type hints: berth has no bindings."""

    def __init__(self, data=b"", binding_metadata=None):
        super().__init__()
        self.data = to_bytes(data)
        self.binding_metadata = binding_metadata or {}

    def text(self) -> str:
        return to_text(self.data)


class TransactionOperationType(Enum):
    """What a step of a transaction does."""

    upsert = "upsert"
    delete = "delete"


class TransactionalStateOperation:
    """A step of a transaction."""

    def __init__(
        self,
        key: str,
        data: str | bytes | None = None,
        etag: str | None = None,
        operation_type: TransactionOperationType = TransactionOperationType.upsert,
        metadata: dict[str, str] | None = None,
    ):
        if operation_type is not TransactionOperationType.delete and not isinstance(data, (bytes, str)):
            raise ValueError(f"invalid type for data {type(data)}")
        self.key = key
        self.data = data
        self.etag = etag
        self.operation_type = operation_type
        self.metadata = metadata or {}


class BulkPublishEntry:
    """One message of `publish_events`."""

    def __init__(self, event, metadata=None, content_type=None, entry_id=None):
        self.event = event
        self.metadata = metadata or {}
        self.content_type = content_type
        self.entry_id = entry_id or str(uuid.uuid4())
