"""Gives memory that is free, but kept by the allocator, back to the system."""

import contextlib
import ctypes


def give_back() -> None:
    """Have glibc return free pages (``malloc_trim``); does nothing where the C library is another.

    Loading a model leaves its file and the graph before optimisation behind: 40 MB of a service of 260.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
