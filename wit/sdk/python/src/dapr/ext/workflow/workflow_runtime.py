"""WorkflowRuntime: which workflows and activities the guest has."""

from __future__ import annotations

from berth_guest import registry

from ._names import ALTERNATE, name_of


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

    def versioned_workflow(self, __fn=None, *, name: str, version_name: str | None = None, is_latest: bool):
        raise NotImplementedError("versioned workflows: let one workflow ask ctx.is_patched, or give the new one a new name")

    register_versioned_workflow = versioned_workflow

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
