"""What the fakes remember."""

from types import SimpleNamespace

world = SimpleNamespace()


def reset() -> None:
    """Forgets everything."""
    vars(world).clear()
    vars(world).update(
        environment={},
        stores={"statestore": {}},
        published=[],
        failing_entries={},
        secrets={"secretstore": {}},
        # By "app/method": status and body.
        answers={},
        invoked=[],
        instances={},
        started=[],
        # What a workflow asked for, in order.
        asked=[],
        status=None,
        # By name: what an activity or child gives for its input, or raises.
        activities={},
        children={},
        # Names and data of events that have come.
        events=[],
        canceled=False,
        patches=set(),
        continued=None,
        now_ms=1_700_000_000_000,
    )


reset()
