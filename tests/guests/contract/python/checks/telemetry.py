"""berth:telemetry."""

import re

from checks.run import Run, expect
from wit_world.imports import tracing as api


def here() -> list[str]:
    """Trace ID and span ID of where the guest stands."""
    return api.traceparent().split("-")[1:3]


def recorded(run: Run) -> None:
    expect(api.is_recorded(), "nothing is recorded")
    text = api.traceparent()
    expect(re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", text), text)


def span(run: Run) -> None:
    before = here()
    with api.Span.start("contract-span") as own:
        own.set_attribute("text", api.Value_Text("t"))
        own.set_attribute("integer", api.Value_Integer(2))
        own.set_attribute("number", api.Value_Number(0.5))
        own.set_attribute("boolean", api.Value_Boolean(True))
        own.add_event("checked", [("n", api.Value_Integer(1))])
        within = here()
    after = here()
    expect(before[0] == within[0] and before[1] != within[1], (before, within))
    expect(after == before, (before, after))


def request(run: Run) -> None:
    api.set_attribute("contract", api.Value_Text(run.id))
    api.add_event("contract-event", [])


CHECKS = {
    "telemetry.recorded": recorded,
    "telemetry.span": span,
    "telemetry.request": request,
}
