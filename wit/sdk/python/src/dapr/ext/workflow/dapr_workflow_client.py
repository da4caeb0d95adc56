"""DaprWorkflowClient: starts workflows and looks after them."""

from __future__ import annotations

import time

from dapr.clients.exceptions import DaprGrpcError, calling
from wit_world.imports import berth_workflow_client_0_1_0 as wit

from ..._times import since_1970
from ._names import name_of
from ._payload import to_json, to_payload
from .workflow_state import WorkflowState

_POLL_S = 0.05
_REUSE = {"ended": wit.ReusePolicy.ENDED, "failed": wit.ReusePolicy.FAILED, "never": wit.ReusePolicy.NEVER}
_CONFLICT = {
    "fail": wit.ConflictPolicy.FAIL,
    "use-existing": wit.ConflictPolicy.USE_EXISTING,
    "terminate-existing": wit.ConflictPolicy.TERMINATE_EXISTING,
}


class DaprWorkflowClient:
    """The client. Host and port are taken and not used: there is no sidecar to reach."""

    def __init__(self, host=None, port=None, logger_options=None):
        pass

    def schedule_new_workflow(
        self,
        workflow,
        *,
        input=None,
        instance_id=None,
        start_at=None,
        reuse_id_policy=None,
        reuse: str | None = None,
        conflict: str | None = None,
        app_id: str | None = None,
    ) -> str:
        """Starts a workflow and gives its instance ID; without one, a UUID is made. Not in the official SDK: `reuse`
        (`ended`, `failed`, `never`) and `conflict` (`fail`, `use-existing`, `terminate-existing`), and the app that has the
        workflow."""
        name = name_of(workflow, "workflow")
        options = wit.StartOptions(
            instance_id=instance_id,
            app_id=app_id,
            start_at_ms=None if start_at is None else since_1970(start_at),
            reuse=_choose(_REUSE, reuse, "reuse"),
            conflict=_choose(_CONFLICT, conflict, "conflict"),
            metadata=[],
        )
        with calling("DaprWorkflowClient.schedule_new_workflow"):
            return wit.start(name, to_payload(input), options)

    def get_workflow_state(self, instance_id: str, *, fetch_payloads: bool = True) -> WorkflowState | None:
        """The state of an instance, or nothing if there is none."""
        with calling("DaprWorkflowClient.get_workflow_state"):
            found = wit.get(_target(instance_id))
        return WorkflowState(found, fetch_payloads) if found else None

    def wait_for_workflow_start(
        self, instance_id: str, *, fetch_payloads: bool = False, timeout_in_seconds: int = 0
    ) -> WorkflowState | None:
        """Waits until an instance has begun to run; without end if the time is 0."""
        until = time.monotonic() + timeout_in_seconds
        while True:
            with calling("DaprWorkflowClient.wait_for_workflow_start"):
                found = wit.get(_target(instance_id))
            if not found or found.status is not wit.Status.PENDING:
                return WorkflowState(found, fetch_payloads) if found else None
            if timeout_in_seconds and time.monotonic() >= until:
                raise TimeoutError(f"{instance_id} has not begun within {timeout_in_seconds} s")
            time.sleep(_POLL_S)

    def wait_for_workflow_completion(
        self, instance_id: str, *, fetch_payloads: bool = True, timeout_in_seconds: int = 0
    ) -> WorkflowState | None:
        """Waits until an instance has ended; raises TimeoutError if it does not in time. 0: without end."""
        timeout_ms = int(timeout_in_seconds * 1000) or None
        try:
            with calling("DaprWorkflowClient.wait_for_workflow_completion"):
                return WorkflowState(wit.wait(_target(instance_id), timeout_ms), fetch_payloads)
        except DaprGrpcError as error:
            if error.reason == "timeout":
                raise TimeoutError(error.details()) from None
            if error.reason == "not-found":
                return None
            raise

    def raise_workflow_event(self, instance_id: str, event_name: str, *, data=None, event_id: str | None = None) -> None:
        """Sends an event. Not in the official SDK: one with an `event_id` that the instance was sent before is dropped."""
        with calling("DaprWorkflowClient.raise_workflow_event"):
            wit.raise_event(_target(instance_id), event_name, to_payload(data), wit.EventOptions(event_id, []))

    def terminate_workflow(self, instance_id: str, *, output=None, recursive: bool = True) -> None:
        """Ends an instance at once. `output` is kept as the reason."""
        reason = "" if output is None else output if isinstance(output, str) else to_json(output)
        with calling("DaprWorkflowClient.terminate_workflow"):
            wit.terminate(_target(instance_id), wit.TerminateOptions(reason, recursive, []))

    def cancel_workflow(self, instance_id: str, *, reason: str = "") -> None:
        """Asks a workflow to cancel: what it waits for raises TaskCanceledError, and it can undo what it did. Not in the
        official SDK."""
        with calling("DaprWorkflowClient.cancel_workflow"):
            wit.cancel(_target(instance_id), reason)

    def pause_workflow(self, instance_id: str) -> None:
        """Lets nothing more happen until it is resumed."""
        with calling("DaprWorkflowClient.pause_workflow"):
            wit.suspend(_target(instance_id), "")

    def resume_workflow(self, instance_id: str) -> None:
        with calling("DaprWorkflowClient.resume_workflow"):
            wit.resume(_target(instance_id), "")

    def purge_workflow(self, instance_id: str, recursive: bool = True) -> bool:
        """Removes an instance that has ended; false if there is none."""
        with calling("DaprWorkflowClient.purge_workflow"):
            return wit.purge(_target(instance_id), wit.PurgeOptions(False, recursive, []))

    def close(self) -> None:
        pass


def _target(instance_id: str) -> wit.Target:
    return wit.Target(instance_id, None)


def _choose(choices: dict, word: str | None, name: str):
    if word is not None and word not in choices:
        raise ValueError(f"{name} is {word!r}, but should be one of {', '.join(choices)}")
    return choices.get(word)
