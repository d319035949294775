"""The time of what is kept: it is compared with what other processes and machines wrote, so it is the wall clock's."""

import datetime

SLACK = 60.0
"""Seconds that what others wrote may be ahead: they looked later, or their clock is. By more, it was put back since."""


def now() -> float:
    """Seconds since the epoch, UTC."""
    return datetime.datetime.now(datetime.UTC).timestamp()


def iso(seconds: float) -> str:
    """Seconds since the epoch in ISO 8601, UTC."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat()
