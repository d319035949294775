"""Starts a decoder process: its environment, its memory allocator, and the signals that are not for it."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

FOR_THE_SERVICE = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
"""Sent to the whole process group: the service finishes what it has, then closes the socket, or reloads."""
_KEPT = 32 << 20
# Of a WebP's time the kernel took half to hand out the same 30 MB again and again, in small pages. What a picture of
# two megapixels needs is kept for the next one; what larger ones need comes in large pages.
_MALLOC = {"arena_max": 1, "mmap_threshold": _KEPT, "trim_threshold": _KEPT, "hugetlb": 1}


def started(channel: socket.socket) -> "subprocess.Popen[bytes]":
    """A decoder process with ``channel`` as its standard input; raises :class:`OSError` where none can be made."""
    command = [sys.executable, "-P", "-m", "service.decoding.decoder_process"]
    environment = {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "OPENBLAS_NUM_THREADS": "1",
        "GLIBC_TUNABLES": ":".join(f"glibc.malloc.{name}={value}" for name, value in _MALLOC.items()),
    }
    nowhere = subprocess.DEVNULL
    # it inherits the mask: the signals would end it while it imports what ignores them
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_SERVICE)
    try:
        return subprocess.Popen(  # noqa: S603
            command, stdin=channel.fileno(), stdout=nowhere, stderr=nowhere, cwd="/", env=environment
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def ignore_what_is_for_the_service() -> None:
    """In the decoder process, once it is there: from now on the signals are lost, and none is held back."""
    for number in FOR_THE_SERVICE:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
