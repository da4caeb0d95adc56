"""DaprClient for `async` code. A call of the host blocks; the guest has one thread and nothing else to do."""

import inspect

from dapr.clients import DaprClient as _DaprClient
from dapr.clients import DaprInternalError

__all__ = ["DaprClient", "DaprInternalError"]


class DaprClient:
    """The client: the calls of `dapr.clients.DaprClient`, to be awaited."""

    def __init__(self, *args, **options):
        self._client = _DaprClient(*args, **options)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def close(self) -> None:
        pass

    def __getattr__(self, name: str):
        return getattr(self._client, name)


def _add(name: str, function) -> None:
    async def call(self, *args, **options):
        return function(self._client, *args, **options)

    call.__name__, call.__doc__ = name, function.__doc__
    setattr(DaprClient, name, call)


for _name, _function in inspect.getmembers(_DaprClient, inspect.isfunction):
    if not _name.startswith("_") and _name != "close":
        _add(_name, _function)
