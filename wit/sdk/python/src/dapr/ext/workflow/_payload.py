"""Inputs and results: JSON, as the official SDK writes it."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace
from typing import Any

from wit_world.imports.berth_workflow_types_0_1_0 import Payload

JSON_TYPE = "application/json"
# The official SDK marks dataclasses and named tuples with it, and reads them as SimpleNamespace.
AUTO_OBJECT = "__durabletask_autoobject__"


def is_model(value: Any) -> bool:
    """Whether a value, or a class, has the shape of a Pydantic model."""
    return all(callable(getattr(value, name, None)) for name in ("model_dump", "model_validate"))


def to_payload(value: Any) -> Payload:
    """A value as a payload; nothing for None."""
    if value is None:
        return Payload(b"", None)
    return Payload(to_json(value).encode(), JSON_TYPE)


def from_payload(payload: Payload) -> Any:
    """What a payload holds: JSON, or text that is none."""
    if not payload.data:
        return None
    text = payload.data.decode()
    try:
        return json.loads(text, object_hook=_object)
    except ValueError:
        return text


def to_json(value: Any) -> str:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict() | {AUTO_OBJECT: True}
    return json.dumps(value, default=_default)


def _default(value: Any) -> Any:
    if is_model(value):
        try:
            return value.model_dump(mode="json")
        except TypeError:
            return value.model_dump()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value) | {AUTO_OBJECT: True}
    if isinstance(value, SimpleNamespace):
        return vars(value) | {AUTO_OBJECT: True}
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: give dicts, lists, texts, numbers or a dataclass")


def _object(found: dict) -> Any:
    return SimpleNamespace(**found) if found.pop(AUTO_OBJECT, False) else found
