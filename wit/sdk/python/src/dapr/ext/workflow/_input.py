"""How workflows and activities are called."""

from __future__ import annotations

import inspect
import typing
from typing import Any

from ._payload import is_model

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def arguments(function, context, value: Any) -> tuple:
    """The context, and the input if the function takes one: as its annotation says, if that is a model."""
    parameters = list(inspect.signature(function).parameters.values())
    takes_any = any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters)
    positional = [one for one in parameters if one.kind in _POSITIONAL]
    if len(positional) < 2:
        return (context, value) if takes_any else (context,)
    model = _annotation(function, positional[1].name)
    if value is not None and isinstance(model, type) and is_model(model) and not isinstance(value, model):
        value = model.model_validate(vars(value) if hasattr(value, "__dict__") else value)
    return context, value


def _annotation(function, name: str) -> Any:
    try:
        hint = typing.get_type_hints(function).get(name)
    except Exception:
        # An annotation that cannot be read says nothing.
        return None
    # Optional[Model]
    options = [one for one in typing.get_args(hint) if one is not type(None)]
    return options[0] if len(options) == 1 and not isinstance(hint, type) else hint
