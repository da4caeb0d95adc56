"""Workflows: the runtime with its decorators, the client, the contexts."""

from ._names import alternate_name
from .dapr_workflow_client import DaprWorkflowClient
from .retry_policy import RetryPolicy
from .task import NonRetryableError, TaskCanceledError, TaskFailedError, when_all, when_any
from .workflow_activity_context import WorkflowActivityContext
from .workflow_runtime import WorkflowRuntime
from .workflow_state import WorkflowState, WorkflowStatus

# DaprWorkflowContext comes by __getattr__.
__all__ = [
    "DaprWorkflowClient",
    "DaprWorkflowContext",
    "NonRetryableError",
    "RetryPolicy",
    "TaskCanceledError",
    "TaskFailedError",
    "WorkflowActivityContext",
    "WorkflowRuntime",
    "WorkflowState",
    "WorkflowStatus",
    "alternate_name",
    "when_all",
    "when_any",
]


def __getattr__(name: str):
    # What a workflow can do is imported by guests that have workflows: one that only starts them must not ask for it.
    if name == "DaprWorkflowContext":
        from .dapr_workflow_context import DaprWorkflowContext

        return DaprWorkflowContext
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
