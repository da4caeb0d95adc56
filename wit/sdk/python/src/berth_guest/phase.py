"""While a guest is built, its modules are run once and the memory that results is kept. Until the first call from the host
nothing of the outside can be reached: a call would end the build with a bare trap. So every way out asks here first."""

import os
import random

from wit_world.imports import wasi_cli_environment_0_2_12 as environment

_serving = False


def is_serving() -> bool:
    """Whether the host has called: what is outside can be reached."""
    return _serving


def enter_service() -> None:
    """Said by every export at its beginning."""
    global _serving
    if _serving:
        return
    _serving = True
    _wake()


def require_service(what: str) -> None:
    """Refuses a call to the outside while the guest is built."""
    if not _serving:
        raise RuntimeError(
            f"{what} is called while the guest is built: a guest has no start of its own, its modules run once before it is "
            'ever used. Move the call into a handler, or under `if __name__ == "__main__":`'
        )


def _wake() -> None:
    """Every instance begins with the memory of the build: what was read or random then would be the same in all of them."""
    os.environ.update(dict(environment.get_environment()))
    random.seed(int.from_bytes(os.urandom(16), "big"))
