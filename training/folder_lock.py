"""A folder that is written by one run at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = ".lock"


class FolderTakenError(OSError):
    """Another process writes to the folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock ``folder`` for the run of this process; raises :class:`FolderTakenError` while another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("a") as stream:
        try:
            # not flock: processes that read photos would inherit that one, and outlive a killed run by seconds
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderTakenError(f"another run is under way in {folder}: choose another folder") from error
        yield
