"""What an activity knows of itself."""

from __future__ import annotations

import re


class WorkflowActivityContext:
    """Given to an activity as its first parameter."""

    def __init__(self, task):
        self._task = task

    @property
    def workflow_id(self) -> str:
        """The instance that asked for it."""
        return self._task.instance_id

    @property
    def task_id(self) -> int:
        """Its number within the run of the workflow."""
        number = re.search(r"\d+$", self._task.task_id)
        return int(number.group()) if number else 0

    @property
    def task_execution_id(self) -> str:
        """The same for all attempts of this activity, and for no other activity."""
        return self._task.idempotency_key

    @property
    def idempotency_key(self) -> str:
        """`task_execution_id`, by the name that berth has for it."""
        return self._task.idempotency_key

    @property
    def attempt(self) -> int:
        """1 for the first attempt."""
        return self._task.attempt

    @property
    def orchestration_id(self) -> str:
        return self._task.instance_id

    def get_inner_context(self) -> WorkflowActivityContext:
        return self

    def get_propagated_history(self) -> None:
        """berth propagates no history."""
        return None
