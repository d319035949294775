"""The time of what is kept: it is compared with what other processes and machines wrote, so it is the wall clock's."""

import datetime


def now() -> float:
    """Seconds since the epoch, UTC."""
    return datetime.datetime.now(datetime.UTC).timestamp()
