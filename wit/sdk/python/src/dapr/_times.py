"""Times and durations."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(duration: timedelta | None) -> int | None:
    """A duration in whole milliseconds, rounded up."""
    return None if duration is None else math.ceil(duration / _MILLISECOND)


def since_1970(moment: datetime) -> int:
    """A time in milliseconds since 1970. One without a time zone is in UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return math.ceil(moment.timestamp() * 1000)


def from_1970(ms: int) -> datetime:
    """The time, without a time zone, in UTC: as the official SDK gives it."""
    return datetime.fromtimestamp(ms / 1000, timezone.utc).replace(tzinfo=None)
