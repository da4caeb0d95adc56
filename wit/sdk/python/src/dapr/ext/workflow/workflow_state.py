"""What is known of a workflow instance."""

from __future__ import annotations

import json
from enum import Enum

from ..._times import from_1970
from .task import FailureDetails


class WorkflowStatus(Enum):
    """How far an instance has come. `CANCELED` is berth's: it ended with an error after it was asked to cancel."""

    UNKNOWN = 0
    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    TERMINATED = 4
    PENDING = 5
    SUSPENDED = 6
    STALLED = 7
    CANCELED = 8


class WorkflowState:
    """A workflow instance at one moment."""

    def __init__(self, instance, with_payloads: bool = True):
        self._instance = instance
        self._with_payloads = with_payloads

    @property
    def instance_id(self) -> str:
        return self._instance.instance_id

    @property
    def name(self) -> str:
        return self._instance.workflow

    @property
    def runtime_status(self) -> WorkflowStatus:
        return WorkflowStatus[self._instance.status.name]

    @property
    def created_at(self):
        return from_1970(self._instance.created_at_ms)

    @property
    def last_updated_at(self):
        return from_1970(self._instance.updated_at_ms)

    @property
    def serialized_input(self) -> None:
        """Not told by the host."""
        return None

    @property
    def serialized_output(self) -> str | None:
        output = self._instance.output
        return output.data.decode() if self._with_payloads and output and output.data else None

    @property
    def custom_status(self) -> str | None:
        """As it is stored. Not in the official SDK."""
        return self._instance.custom_status

    @property
    def serialized_custom_status(self) -> str | None:
        """As JSON, which is how the official SDK keeps it."""
        text = self._instance.custom_status
        if text is None or not self._with_payloads:
            return None
        return text if text.startswith(("{", "[")) else json.dumps(text)

    @property
    def failure_details(self) -> FailureDetails | None:
        failure = self._instance.failure
        return FailureDetails(failure.message, failure.kind) if failure else None

    @property
    def waiting_on(self) -> str | None:
        """What it waits for, such as `activity "charge"`. Not in the official SDK."""
        return self._instance.waiting_on

    @property
    def problem(self) -> str | None:
        """Why it is stalled. Not in the official SDK."""
        return self._instance.problem

    def to_json(self) -> dict:
        described = {
            "instance_id": self.instance_id,
            "name": self.name,
            "runtime_status": self.runtime_status.name,
            "created_at": self.created_at,
            "last_updated_at": self.last_updated_at,
            "serialized_input": self.serialized_input,
            "serialized_output": self.serialized_output,
            "serialized_custom_status": self.serialized_custom_status,
        }
        if self.failure_details:
            described["failure_details"] = vars(self.failure_details)
        return described

    def __str__(self) -> str:
        return json.dumps(self.to_json(), indent=4, sort_keys=True, default=str)
