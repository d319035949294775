"""The time of what is kept: it is compared with what other processes and machines wrote, so it is the wall clock's."""

import datetime
import time

SLACK = 60.0
"""Seconds that what others wrote may be ahead: they looked later, or their clock is. By more, it was put back since."""


def now() -> float:
    """Seconds since the epoch, UTC."""
    return datetime.datetime.now(datetime.UTC).timestamp()


class Watch:
    """Tells how far the wall clock was put forward since this was made, by the clock that nobody sets."""

    def __init__(self) -> None:
        self._least = _apart()

    def ahead(self) -> float:
        """Seconds, of the farthest back that the wall clock was seen at; to be asked now and then."""
        apart = _apart()
        self._least = min(self._least, apart)
        return apart - self._least


def _apart() -> float:
    return now() - time.monotonic()


def iso(seconds: float) -> str:
    """Seconds since the epoch in ISO 8601, UTC."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat()
