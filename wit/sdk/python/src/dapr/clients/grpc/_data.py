"""Values to bytes and back, and metadata."""

from __future__ import annotations

from collections.abc import Iterable

Pairs = tuple[tuple[str, str | bytes], ...]


def to_bytes(data: str | bytes) -> bytes:
    """Text is UTF-8."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, str):
        return data.encode()
    raise ValueError(f"invalid type for data {type(data)}")


def to_text(data: str | bytes) -> str:
    return data if isinstance(data, str) else bytes(data).decode()


class Body:
    """The bytes of a call or of its answer, which text may be set for."""

    @property
    def data(self) -> bytes:
        return self._data

    @data.setter
    def data(self, data) -> None:
        self.set_data(data)

    def set_data(self, data) -> None:
        self._data = b"" if data is None else to_bytes(data)

    def text(self) -> str:
        return to_text(self._data)

    def is_proto(self) -> bool:
        return False


def to_list(metadata: dict[str, str] | None, without: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Metadata for the WIT, without what has a field of its own there."""
    return [(name, str(value)) for name, value in (metadata or {}).items() if name not in without]


def seconds(value) -> int | None:
    """A whole number of seconds above zero, or nothing."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        return None
    return number if number > 0 else None


def is_true(value) -> bool:
    return str(value).lower() in ("1", "t", "true", "y", "yes", "on")


def as_dict(pairs: Pairs) -> dict[str, list]:
    """Values by name, as the official SDK groups them."""
    grouped: dict[str, list] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def required(value: str, what: str) -> None:
    if not value or not value.strip():
        raise ValueError(f"{what} cannot be empty")
