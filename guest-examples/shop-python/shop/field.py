"""JSON from outside, checked field by field."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from .failure import Failure

# Longest identifier and shortest limit of every store that the shop may run on.
ID_LENGTH_MAX = 128
_ID = re.compile(r"[A-Za-z0-9._:@-]{1,128}")

T = TypeVar("T")


class Field:
    """A value that knows where it stands, so that a refusal can name it: `items[0].qty`."""

    def __init__(self, value: Any, path: str = "") -> None:
        self._value = value
        self._path = path

    def get(self, name: str) -> Field:
        """A field of an object. Whether it must be there is decided by what it is read as; null is absent."""
        value = self._value.get(name) if isinstance(self._value, dict) else None
        return Field(value, f"{self._path}.{name}".lstrip("."))

    @property
    def is_absent(self) -> bool:
        return self._value is None

    def id(self) -> str:
        """An identifier that is safe in a path and in a key."""
        if isinstance(self._value, str) and _ID.fullmatch(self._value):
            return self._value
        raise self._refused(f"must be a text of 1 to {ID_LENGTH_MAX} letters, digits and `.`, `_`, `-`, `:`, `@`")

    def text(self, length_max: int) -> str:
        """A text that is not blank."""
        if isinstance(self._value, str) and self._value.strip() and len(self._value) <= length_max:
            return self._value
        raise self._refused(f"must be a text of 1 to {length_max} characters")

    def whole(self, least: int, most: int) -> int:
        if type(self._value) is int and least <= self._value <= most:
            return self._value
        raise self._refused(f"must be a whole number from {least} to {most}")

    def list(self, least: int, most: int, read: Callable[[Field], T]) -> list[T]:
        """The elements of a list, read one by one."""
        if not isinstance(self._value, list) or not least <= len(self._value) <= most:
            raise self._refused(f"must be a list of {least} to {most} elements")
        return [read(Field(element, f"{self._path}[{index}]")) for index, element in enumerate(self._value)]

    def object(self) -> dict:
        """An object, as it is."""
        if isinstance(self._value, dict):
            return self._value
        raise self._refused("must be a JSON object")

    def _refused(self, message: str) -> Failure:
        return Failure.invalid(self._path or "body", message)


def read_id(name: str, segment: str) -> str:
    """An identifier out of the path, checked like one out of a body."""
    return Field(segment, name).id()
