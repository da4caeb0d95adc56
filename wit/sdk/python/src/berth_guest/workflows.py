"""The guest's exports for workflows."""

from __future__ import annotations

from componentize_py_types import Err
from dapr.ext.workflow._drive import drive
from dapr.ext.workflow._input import arguments
from dapr.ext.workflow._payload import from_payload, to_payload
from dapr.ext.workflow._versions import Versions
from dapr.ext.workflow.task import NonRetryableError
from dapr.ext.workflow.workflow_activity_context import WorkflowActivityContext
from dapr.ext.workflow.dapr_workflow_context import DaprWorkflowContext
from wit_world.imports.berth_workflow_types_0_1_0 import Failure

from . import registry
from .log import log_failure
from .phase import enter_service


class BerthWorkflowWorkflows010:
    """Exported."""

    def run(self, name, input):
        enter_service()
        workflow = _find(registry.workflows, "workflow", name)
        with _failures():
            context = DaprWorkflowContext()
            if isinstance(workflow, Versions):
                workflow = workflow.of_instance(context)
            return to_payload(drive(workflow(*arguments(workflow, context, from_payload(input)))))


class BerthWorkflowActivities010:
    """Exported."""

    def run(self, task, name, input):
        enter_service()
        activity = _find(registry.activities, "activity", name)
        with _failures(f"activity {name} of {task.instance_id}"):
            context = WorkflowActivityContext(task)
            return to_payload(_finished(activity(*arguments(activity, context, from_payload(input)))))


class BerthWorkflowRegistry010:
    """Exported."""

    def workflows(self):
        enter_service()
        return list(registry.workflows)

    def activities(self):
        enter_service()
        return list(registry.activities)


def _finished(result):
    """An activity may be `async`."""
    if not hasattr(result, "__await__"):
        return result
    from .loop import run

    return run(result)


def _find(functions, kind, name):
    if name not in functions:
        raise Err(Failure("NotRegistered", f"this guest has no {kind} {name}", True))
    return functions[name]


class _failures:
    """Turns what the program raises into a failure of the WIT. `what`: named in the log."""

    def __init__(self, what=None):
        self._what = what

    def __enter__(self):
        return self

    def __exit__(self, _, error, __):
        if not isinstance(error, Exception):
            return
        # A failure with a kind is meant, and the host notes it.
        if self._what and not hasattr(error, "kind"):
            log_failure(self._what, error)
        raise Err(failure_of(error)) from error


def failure_of(error: Exception) -> Failure:
    """A failure that was caught and raised again keeps its kind; an error of the program has its `kind`, or its class."""
    details = getattr(error, "details", None)
    kind = getattr(details, "error_type", None) or getattr(error, "kind", None) or type(error).__name__
    final = isinstance(error, NonRetryableError) or getattr(error, "non_retryable", False) is True
    return Failure(str(kind), str(error), final)
