"""A folder that is written by one run at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.drafts import lock_alone

_LOCK = ".lock"


class FolderTakenError(OSError):
    """Another process writes to the folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock ``folder`` for the run of this process; raises :class:`FolderTakenError` while another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("a") as stream:
        try:
            lock_alone(stream)
        except BlockingIOError as error:
            raise FolderTakenError(f"another run is under way in {folder}: choose another folder") from error
        yield
