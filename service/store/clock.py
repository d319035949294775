"""The time of what is kept: it is compared with what other processes and machines wrote, so it is the wall clock's."""

import datetime


def now() -> float:
    """Seconds since the epoch, UTC."""
    return datetime.datetime.now(datetime.UTC).timestamp()


def iso(seconds: float) -> str:
    """Seconds since the epoch in ISO 8601, UTC."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat()
