"""What every check needs."""

from collections.abc import Callable
from dataclasses import dataclass

from componentize_py_types import Err


@dataclass
class Run:
    """What one run of the checks is called, so that runs over one store do not meet."""

    id: str
    app_id: str

    def key(self, name: str) -> str:
        return f"{self.id}-{name}"


class Failed(Exception):
    """Something that must hold does not."""


def expect(holds: bool, detail: object) -> None:
    if not holds:
        raise Failed(repr(detail))


def refused(case: type, call: Callable, *arguments: object) -> None:
    """Checks that a call is refused with this error case."""
    try:
        value = call(*arguments)
    except Err as error:
        expect(isinstance(error.value, case), error.value)
    else:
        raise Failed(f"not refused: {value!r}")
