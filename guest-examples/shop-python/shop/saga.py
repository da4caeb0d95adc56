"""The saga of an order: reserve, have a large one approved, pay, fulfil; and if a step fails, undo what was done, the last
step first. The workflow decides; what has an effect is an activity."""

from datetime import timedelta

from dapr.ext.workflow import DaprWorkflowContext, RetryPolicy

SAGA = "order"
# The event that lets a large order go on.
APPROVED = "approved"
LARGE_CENTS = 100_000
APPROVAL = timedelta(hours=24)

# A few attempts; then the order fails, and what was done is undone.
USUAL = RetryPolicy(
    first_retry_interval=timedelta(milliseconds=200), max_number_of_attempts=4, backoff_coefficient=2
)
# What is to be undone has to be undone, however long it takes.
PATIENT = RetryPolicy(
    first_retry_interval=timedelta(milliseconds=200),
    max_number_of_attempts=2**32 - 1,
    backoff_coefficient=2,
    max_retry_interval=timedelta(minutes=1),
)


def saga(ctx: DaprWorkflowContext, order: dict):
    # Before each step: whether it had an effect when it fails is unknown, and undoing nothing is harmless.
    undo = []
    try:
        ctx.set_custom_status("reserving")
        undo.append("release")
        yield ctx.call_activity("reserve", input=order, retry_policy=USUAL)
        if order["totalCents"] >= LARGE_CENTS:
            ctx.set_custom_status("waiting for approval")
            yield ctx.wait_for_external_event(APPROVED, timeout=APPROVAL)
        ctx.set_custom_status("paying")
        undo.append("refund")
        yield ctx.call_activity("pay", input=order, retry_policy=USUAL)
        ctx.set_custom_status("fulfilling")
        yield ctx.call_activity("fulfil", input=order, retry_policy=USUAL)
    except Exception:
        ctx.set_custom_status("undoing")
        for activity in reversed(undo):
            yield ctx.call_activity(activity, input=order, retry_policy=PATIENT)
        ctx.set_custom_status("undone")
        raise
    ctx.set_custom_status("confirmed")
    return {"orderId": order["orderId"], "status": "confirmed"}
