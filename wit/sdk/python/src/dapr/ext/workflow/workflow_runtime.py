"""WorkflowRuntime: which workflows and activities the guest has."""

from __future__ import annotations

from functools import partial

from berth_guest import registry

from ._names import ALTERNATE, name_of
from ._versions import Versions


class WorkflowRuntime:
    """Takes workflows and activities, for the host to call. Address and limits are taken and not used."""

    def __init__(self, *args, **options):
        pass

    def register_workflow(self, fn, *, name: str | None = None) -> None:
        _register(registry.workflows, "Workflow", fn, name)

    def register_activity(self, fn, *, name: str | None = None) -> None:
        _register(registry.activities, "Activity", fn, name)

    def workflow(self, __fn=None, *, name: str | None = None):
        """Decorator: registers a workflow, under its own name or another."""
        return _decorator(self.register_workflow, __fn, name)

    def activity(self, __fn=None, *, name: str | None = None):
        """Decorator: registers an activity, under its own name or another."""
        return _decorator(self.register_activity, __fn, name)

    def register_versioned_workflow(self, fn, *, name: str, version_name: str | None = None, is_latest: bool) -> None:
        version = version_name or name_of(fn, "workflow")
        versions = registry.workflows.setdefault(name, Versions())
        if not isinstance(versions, Versions):
            raise ValueError(f"A workflow named '{name}' is already registered.")
        versions.add(version, fn, is_latest)
        setattr(fn, ALTERNATE, name)

    def versioned_workflow(self, __fn=None, *, name: str, version_name: str | None = None, is_latest: bool):
        """Decorator: registers a version of a workflow. New instances take the latest, others keep theirs."""
        register = partial(self.register_versioned_workflow, version_name=version_name, is_latest=is_latest)
        return _decorator(register, __fn, name)

    def start(self) -> None:
        """Returns at once: the host calls when there is something to do."""

    def shutdown(self) -> None:
        pass

    def wait_for_worker_ready(self, timeout: float = 30.0) -> bool:
        return True


def _decorator(register, function, name):
    def decorator(function):
        register(function, name=name)
        return function

    return decorator(function) if function else decorator


def _register(functions: dict, kind: str, function, name: str | None) -> None:
    known = getattr(function, ALTERNATE, None)
    if known in functions and functions[known] is function:
        raise ValueError(f"{kind} {function.__name__} already registered as {known}")
    if known and name:
        raise ValueError(f"{kind} {function.__name__} already has an alternate name {known}")
    name = name or known or name_of(function, kind.lower())
    if name in functions:
        raise ValueError(f"A {kind.lower()} named '{name}' is already registered.")
    setattr(function, ALTERNATE, name)
    functions[name] = function
