"""What the steps of the saga do to the world. An activity runs at least once: each is harmless when it is repeated, since the
others know it by the order's ID, and the ledger by the idempotency key."""

from __future__ import annotations

from collections.abc import Callable

from dapr.ext.workflow import WorkflowActivityContext, WorkflowRuntime

from . import inventory, ledger, topic
from .failure import Failure
from .saga import SAGA, saga

# The customer whose card is always refused, and the one who has moved, so that nothing can be sent.
BROKE = "broke"
MOVED = "moved"

runtime = WorkflowRuntime()
runtime.register_workflow(saga, name=SAGA)


def effect(body: Callable[[dict], None]) -> Callable[[dict], None]:
    """Registers what an activity does; that it was done is noted in the ledger."""

    def activity(ctx: WorkflowActivityContext, order: dict) -> None:
        body(order)
        # The same for all attempts of this activity.
        ledger.note(order["orderId"], body.__name__, ctx.get_inner_context().task_execution_id)

    runtime.register_activity(activity, name=body.__name__)
    return body


@effect
def reserve(order: dict) -> None:
    inventory.reserve(order)


@effect
def release(order: dict) -> None:
    inventory.release(order["orderId"])


@effect
def pay(order: dict) -> None:
    # A real shop would charge a card here, and give the idempotency key to whoever does it.
    if order["customerId"] == BROKE:
        raise Failure(402, "payment-refused", f"{order['totalCents']} cents are more than there is")


@effect
def refund(order: dict) -> None:
    pass


@effect
def fulfil(order: dict) -> None:
    if order["customerId"] == MOVED:
        raise Failure(410, "no-address", "nobody knows where to send it")
    topic.announce(order | {"status": "confirmed"})
