"""An event loop for `async` code in a guest. There is nothing to wait for but time: calls of the host block."""

import asyncio
import asyncio.base_events
import time


class _Nothing:
    """In the place of a selector."""

    def select(self, timeout):
        if timeout is not None and timeout > 0:
            time.sleep(timeout)
        elif timeout is None:
            raise RuntimeError("the code waits for something that nobody will ever do")
        return []


class GuestLoop(asyncio.base_events.BaseEventLoop):
    """Runs callbacks and timers."""

    def __init__(self):
        super().__init__()
        self._selector = _Nothing()

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass


def run(coroutine):
    """Runs a coroutine to its end."""
    with asyncio.Runner(loop_factory=GuestLoop) as runner:
        return runner.run(coroutine)


def install() -> None:
    """Makes it what `asyncio.run` of the program uses."""
    # The policy that knows sockets makes a pair of them, which a guest has not.
    asyncio.events.new_event_loop = GuestLoop
    asyncio.new_event_loop = GuestLoop
