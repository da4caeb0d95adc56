"""`/sagas`: the instance of an order is named after it, so that an order has one saga, whoever asks and how often."""

from __future__ import annotations

import json
from contextlib import contextmanager

from dapr.clients.exceptions import DaprGrpcError
from dapr.ext.workflow import DaprWorkflowClient, WorkflowState

from . import ledger as entries
from .failure import Failure
from .order import read_order
from .saga import APPROVED, SAGA
from .web import Answer, Request

workflows = DaprWorkflowClient()


def start(request: Request) -> Answer:
    """Starts the saga of an order, or finds it."""
    order = read_order(request.json(), _no_id)
    with _failures():
        # Starting is idempotent: the saga that is there is the answer.
        instance_id = workflows.schedule_new_workflow(
            SAGA, input=order, instance_id=order["orderId"], reuse="never", conflict="use-existing"
        )
    return Answer(202, {"instanceId": instance_id}, {"location": f"/sagas/{instance_id}"})


def show(order_id: str) -> Answer:
    """How far a saga has come."""
    with _failures():
        found = workflows.get_workflow_state(order_id)
    if not found:
        raise Failure.not_found(f"there is no saga of order {order_id}")
    return Answer(200, _report(found))


def approve(order_id: str) -> Answer:
    """Lets a large order go on."""
    with _failures():
        workflows.raise_workflow_event(order_id, APPROVED, event_id=APPROVED)
    return Answer(202, {"instanceId": order_id})


def cancel(order_id: str) -> Answer:
    """Asks a saga to stop and undo what it did. One that has ended stays as it is."""
    with _failures():
        workflows.cancel_workflow(order_id, reason="the customer changed their mind")
    return Answer(202, {"instanceId": order_id})


def ledger(order_id: str) -> Answer:
    """What was done in the world."""
    return Answer(200, entries.read(order_id))


def _no_id() -> str:
    # An order without an ID could not be asked for again.
    raise Failure.invalid("orderId", "orderId is missing")


def _report(state: WorkflowState) -> dict:
    report = {
        "orderId": state.instance_id,
        "status": state.runtime_status.name.lower(),
        "step": state.custom_status,
    }
    if state.serialized_output:
        report["result"] = json.loads(state.serialized_output)
    if state.failure_details:
        report["failure"] = {"error": state.failure_details.error_type, "message": state.failure_details.message}
    if state.problem:
        report["problem"] = state.problem
    return report


@contextmanager
def _failures():
    try:
        yield
    except DaprGrpcError as error:
        raise _failure_of(error.reason, error.details()) from None


def _failure_of(reason: str, message: str) -> Failure:
    match reason:
        case "not-found":
            return Failure.not_found(message)
        case "exists" | "not-allowed":
            return Failure.conflict(message)
        case "denied":
            return Failure(403, reason, message)
        case "invalid":
            return Failure.invalid("orderId", message)
        case "too-large":
            return Failure(413, reason, message)
    return Failure.unavailable(message)
