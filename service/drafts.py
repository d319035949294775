"""Files and folders that take shape under another name, so that there is never half of one."""

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def drafted(out: Path) -> Iterator[Path]:
    """A path beside ``out``, free at first. What takes shape there gets its name by ``rename`` or ``replace``.

    Whatever still lies there at the end is removed. One process at a time makes ``out``: another one would remove what
    takes shape. Raises :class:`OSError`, :class:`BlockingIOError` while another process is at it.
    """
    draft = draft_of(out)
    with _alone(out):
        _remove(draft)
        try:
            yield draft
        finally:
            _remove(draft)


def draft_of(out: Path) -> Path:
    """Where ``out`` takes shape; what is there while nobody writes it was left by a process that was killed."""
    return out.with_name(f".{out.name}.part")


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    path = out.with_name(f".{out.name}.lock")
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(path.open("a"))
        while not _lock(stream, out, path):
            stream = stack.enter_context(path.open("a"))
        try:
            yield
        finally:
            # while it is locked: whoever opens it from now on makes a new one
            path.unlink(missing_ok=True)


def _lock(stream: IO[str], out: Path, path: Path) -> bool:
    """Lock the open file; false when whoever had it before has removed it meanwhile."""
    try:
        lock_alone(stream)
    except BlockingIOError as error:
        raise BlockingIOError(errno.EAGAIN, "another process is writing it", str(out)) from error
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def lock_alone(stream: IO[str]) -> None:
    """Lock the open file until it is closed; raises :class:`BlockingIOError` while another process has it."""
    try:
        # not flock: child processes would inherit that one, and outlive a killed run by seconds
        fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except PermissionError as error:
        # what POSIX lets a system say instead
        raise BlockingIOError(*error.args) from error


def _remove(draft: Path) -> None:
    if draft.is_dir():
        shutil.rmtree(draft)
    else:
        draft.unlink(missing_ok=True)
