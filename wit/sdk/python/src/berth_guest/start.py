"""Looks at the program after its modules have run."""

from __future__ import annotations

import sys
from types import ModuleType

from . import asgi, registry

# Names under which WSGI and ASGI servers look for an application.
APPLICATIONS = ("application", "app")


def start(module: ModuleType) -> None:
    """Finds the program's HTTP application, and makes `asyncio` fit for a guest if anything uses it."""
    for name in APPLICATIONS:
        found = getattr(module, name, None)
        if callable(found):
            kind = "asgi" if asgi.is_application(found) else "wsgi"
            setattr(registry.program, kind, found)
            break
    uses_async = registry.program.asgi or any(map(asgi.is_application, registry.activities.values()))
    if uses_async or "asyncio" in sys.modules:
        from .loop import install

        install()


def offers() -> dict:
    """What the guest has, for `berth build`."""
    return {
        "http": ("wsgi" if registry.program.wsgi else "asgi" if registry.program.asgi else None),
        "methods": list(registry.methods),
        "subscriptions": [f"{topic.pubsub}/{topic.topic}" for topic in registry.topics.values()],
        "workflows": list(registry.workflows),
        "activities": list(registry.activities),
    }
