"""Versions of one workflow."""

from __future__ import annotations


class Versions:
    """Functions of one workflow, by the name of their version. An instance keeps the version that it began with: the host
    notes it, as it notes the answers of `is_patched`."""

    def __init__(self):
        self._functions = {}
        self._latest = None

    def add(self, name: str, function, is_latest: bool) -> None:
        if name in self._functions:
            raise ValueError(f"a version named '{name}' is already registered")
        self._functions[name] = function
        if is_latest:
            self._latest = name

    def of_instance(self, context):
        """The function for the instance of this context: the latest for a new one. An instance that is older than all
        versions takes the one that was registered first."""
        names = list(self._functions)
        latest = self._latest or names[-1]
        asked = [latest, *(name for name in reversed(names) if name != latest)]
        noted = (name for name in asked if context.is_patched(f"version {name}"))
        return self._functions[next(noted, names[0])]
