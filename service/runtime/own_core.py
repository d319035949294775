"""A core of its own for each thread while all of them work.

Linux leaves a thread where its caches are: two of them took turns on one core for 4 to 10 ms at a time while the other
core had nothing to do, 2 to 4 % of a busy machine (docs/performance.md). Bound for good, a lone job would stay on a
core that another program uses, so threads are bound only while there is work for all of them.
"""

import contextlib
import os
import sys


class OwnCore:
    """The core of thread ``number`` (from 0) of ``threads``. Binds nothing unless there are as many cores, on Linux."""

    def __init__(self, number: int, threads: int) -> None:
        self._all = os.sched_getaffinity(0) if sys.platform == "linux" else set[int]()
        self._own = {sorted(self._all)[number]} if len(self._all) == threads else set[int]()
        self._bound = False

    def bind(self, bound: bool) -> None:
        """Bind the calling thread to its core, or let it go; a system that refuses has the last word."""
        if sys.platform == "linux" and self._own and bound is not self._bound:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, self._own if bound else self._all)
                self._bound = bound
