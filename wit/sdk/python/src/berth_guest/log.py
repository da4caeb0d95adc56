"""What went wrong in a handler of the program."""

import sys
import traceback


def log_failure(what: str, error: BaseException) -> None:
    """Writes an error and where it comes from to the guest's log."""
    text = "".join(traceback.format_exception(error)).rstrip()
    print(f"{what} failed: {text}", file=sys.stderr, flush=True)
