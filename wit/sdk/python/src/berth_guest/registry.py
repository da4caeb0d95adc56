"""What the program offers. Filled while the guest is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

DEFAULT_ROUTE = "default"


@dataclass
class Topic:
    """A topic that is subscribed to."""

    pubsub: str
    topic: str
    metadata: dict[str, str]
    dead_letter_topic: str | None
    # Priority, match, route; the lowest priority is tried first.
    rules: list[tuple[int, str, str]] = field(default_factory=list)
    has_default: bool = False
    # By route.
    handlers: dict[str, Callable[[Any], Any]] = field(default_factory=dict)


methods: dict[str, Callable[[Any], Any]] = {}
topics: dict[tuple[str, str], Topic] = {}
workflows: dict[str, Callable[..., Any]] = {}
activities: dict[str, Callable[..., Any]] = {}


class _Program:
    """The program's own HTTP application, if it has one."""

    wsgi: Callable[..., Any] | None = None
    asgi: Callable[..., Any] | None = None


program = _Program()
