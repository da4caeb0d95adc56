"""Values and options of state calls."""

from __future__ import annotations

from enum import Enum


class Consistency(Enum):
    """How much the store must guarantee before it answers."""

    unspecified = 0
    eventual = 1
    strong = 2


class Concurrency(Enum):
    """How concurrent writers meet."""

    unspecified = 0
    first_write = 1
    last_write = 2


class StateOptions:
    """Options of a write."""

    def __init__(self, consistency=Consistency.unspecified, concurrency=Concurrency.unspecified):
        self.consistency = consistency
        self.concurrency = concurrency


class StateItem:
    """One value of `save_bulk_state`."""

    def __init__(self, key: str, value: str | bytes, etag: str | None = None, options=None, metadata=None):
        if not isinstance(value, (bytes, str)):
            raise ValueError(f"invalid type for data {type(value)}")
        self.key = key
        self.value = value
        self.etag = etag
        self.options = options
        self.metadata = metadata or {}
