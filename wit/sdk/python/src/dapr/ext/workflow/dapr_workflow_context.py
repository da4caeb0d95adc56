"""What a workflow can do."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from componentize_py_types import Err
from wit_world.imports import berth_workflow_context_0_1_0 as wit

from ..._times import milliseconds, since_1970
from ._names import name_of
from ._payload import from_payload, to_json, to_payload
from .retry_policy import RetryPolicy
from .task import FailureDetails, OperationTask, Task, TaskCanceledError, TaskFailedError

_ONE_ATTEMPT = wit.RetryPolicy(1, 0, 0.0, None, None, [])


class DaprWorkflowContext:
    """Given to a workflow as its first parameter."""

    @property
    def instance_id(self) -> str:
        return wit.instance_id()

    @property
    def current_utc_datetime(self) -> datetime:
        """The time of the last thing that the workflow was given: the same in every replay. Without a time zone, in UTC."""
        return datetime.fromtimestamp(wit.now_ms() / 1000, timezone.utc).replace(tzinfo=None)

    @property
    def is_replaying(self) -> bool:
        return wit.is_replaying()

    def set_custom_status(self, custom_status) -> None:
        """A text beside the status of the instance; anything else is written as JSON."""
        text = custom_status if isinstance(custom_status, str) else to_json(custom_status)
        with _errors():
            wit.set_custom_status(text)

    def create_timer(self, fire_at: datetime | timedelta) -> Task:
        """Ends at a time, or after a duration."""
        duration = self._until(fire_at)
        with _errors():
            return OperationTask(wit.schedule_timer(duration), _nothing)

    def call_activity(
        self, activity, *, input=None, retry_policy: RetryPolicy | None = None, app_id=None, propagation=None
    ) -> Task:
        """Begins an activity. One attempt, unless there is a retry policy: Dapr's default, and not that of the WIT."""
        options = wit.ActivityOptions(
            retry=_retry(retry_policy) or _ONE_ATTEMPT,
            start_to_close_ms=None,
            app_id=app_id,
            dispatch=None,
            record_intent=False,
            metadata=[],
        )
        with _errors():
            return OperationTask(wit.schedule_activity(name_of(activity, "activity"), to_payload(input), options), _result)

    def call_child_workflow(
        self, workflow, *, input=None, instance_id=None, retry_policy: RetryPolicy | None = None, app_id=None, propagation=None
    ) -> Task:
        """Starts a child workflow."""
        options = wit.ChildOptions(instance_id, app_id, _retry(retry_policy), [])
        with _errors():
            return OperationTask(wit.schedule_child(name_of(workflow, "workflow"), to_payload(input), options), _result)

    def wait_for_external_event(self, name: str, *, timeout: datetime | timedelta | None = None) -> Task:
        """Ends with the next event of this name; with a timeout that is not negative, fails with TimeoutError if none comes
        in time."""
        endless = timeout is None or (isinstance(timeout, timedelta) and timeout < timedelta(0))
        options = wit.EventOptions(None if endless else self._until(timeout), [])
        with _errors():
            return OperationTask(wit.schedule_event(name, options), _result)

    def continue_as_new(self, new_input, *, save_events: bool = False) -> None:
        """When the workflow returns, it begins again with this input and an empty history."""
        with _errors():
            wit.continue_as_new(to_payload(new_input), wit.ContinueOptions(save_events, []))

    def is_patched(self, patch_name: str) -> bool:
        """Whether changed code takes its new path: false for instances that had passed this place before the change."""
        with _errors():
            return wit.patched(patch_name)

    def get_propagated_history(self) -> None:
        """berth propagates no history."""
        return None

    def new_guid(self) -> str:
        """A UUID that is the same in every replay; `uuid.uuid4` gives such ones, too. Not in the official SDK."""
        return wit.uuid()

    def _until(self, moment: datetime | timedelta) -> int:
        if isinstance(moment, timedelta):
            return max(0, milliseconds(moment))
        return max(0, since_1970(moment) - wit.now_ms())


def _retry(policy: RetryPolicy | None):
    if policy is None:
        return None
    return wit.RetryPolicy(
        max_attempts=policy.max_number_of_attempts,
        first_interval_ms=milliseconds(policy.first_retry_interval),
        backoff=policy.backoff_coefficient or 1.0,
        max_interval_ms=milliseconds(policy.max_retry_interval),
        total_timeout_ms=milliseconds(policy.retry_timeout),
        non_retryable=policy.non_retryable_error_types,
    )


def _nothing(operation) -> None:
    with _errors():
        operation.wait()


def _result(operation):
    with _errors():
        return from_payload(operation.wait())


class _errors:
    """Turns errors of the WIT into those of the official SDK."""

    def __enter__(self):
        return self

    def __exit__(self, _, error, __):
        if isinstance(error, Err):
            raise error_of(error.value) from None


def error_of(case) -> Exception:
    """An error of the context as the workflow sees it."""
    match case:
        case wit.Error_Failed(failure):
            return TaskFailedError(failure.message, FailureDetails(failure.message, failure.kind))
        case wit.Error_Timeout(message):
            return TimeoutError(message)
        case wit.Error_Canceled(message):
            return TaskCanceledError(message, FailureDetails(message, "berth.canceled"))
        case wit.Error_Invalid(message):
            return ValueError(message)
        case _:
            return RuntimeError(case.value)
