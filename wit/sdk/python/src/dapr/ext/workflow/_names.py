"""How workflows and activities are named."""

from __future__ import annotations

ALTERNATE = "_dapr_alternate_name"


def name_of(given, kind: str) -> str:
    """The name of a function that is called: the one it is registered under, else its own."""
    if isinstance(given, str):
        return given
    name = getattr(given, ALTERNATE, None) or getattr(given, "__name__", None)
    if not name or name == "<lambda>":
        raise TypeError(f"a {kind} is called by its name or its function, and the function must have a name")
    return name


def alternate_name(name: str | None = None):
    """Decorator: another name than that of the function."""

    def decorator(function):
        if hasattr(function, ALTERNATE):
            raise ValueError(
                f"Function {function.__name__} already has an alternate name {getattr(function, ALTERNATE)}"
            )
        setattr(function, ALTERNATE, name or function.__name__)
        return function

    return decorator
