"""Keeps this process from programs, and from the memory and the lives of other processes, where Linux can.

A bound on open files keeps nobody from them: to trace another process, to read its memory or to end it takes none.
Landlock does, from Linux 5.13 on (https://docs.kernel.org/userspace-api/landlock.html): who is confined traces nobody
outside, and from 6.12 on ends nobody there.
"""

import ctypes
import os

_NO_NEW_PRIVILEGES = 38
# the same on every architecture but Alpha and MIPS, which refuse them
_CREATE, _RESTRICT = 444, 446
_ASK_VERSION = 1
_ALL_FILES, _ALL_PORTS, _ALL_SCOPES = (1 << 13) - 1, 0b11, 0b11
_WITH_PORTS, _WITH_SCOPES = 4, 6


class _Rules(ctypes.Structure):
    """``landlock_ruleset_attr``: what is forbidden where no rule allows it, and here none does."""

    _fields_ = (("files", ctypes.c_uint64), ("ports", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


def confine() -> int:
    """Confine the calling thread and whatever it starts, for good.

    Returns the version of Landlock; 0: there is none, or it may not be used, and nobody is confined.
    """
    libc = ctypes.CDLL(None)
    libc.prctl(_NO_NEW_PRIVILEGES, *(ctypes.c_ulong(one) for one in (1, 0, 0, 0)))
    version: int = libc.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))
    rules = _Rules(_ALL_FILES, _ALL_PORTS * (version >= _WITH_PORTS), _ALL_SCOPES * (version >= _WITH_SCOPES))
    size = ctypes.c_size_t(ctypes.sizeof(rules))
    made: int = libc.syscall(_CREATE, ctypes.byref(rules), size, ctypes.c_uint32(0))
    if made < 0:
        return 0
    try:
        return 0 if libc.syscall(_RESTRICT, ctypes.c_int(made), ctypes.c_uint32(0)) else version
    finally:
        os.close(made)
