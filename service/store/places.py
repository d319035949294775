"""Where photos lie: a folder, or an object store (S3, Google Cloud Storage, Azure) by obstore.

A place keeps named pieces of a batch. It raises :class:`FileNotFoundError` for what is not there and other
:class:`OSError` when it cannot be used now. What an object store says is not passed on: it quotes addresses.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from service.errors import StartError
from service.scanning.objects import open_bucket
from service.store.clock import now

_PROBE = "0" * 32


class Place(Protocol):
    """Pieces by batch and name. ``sweep_seconds``: how often it may be looked through as a whole."""

    sweep_seconds: float

    def put(self, batch_id: str, name: str, data: bytes) -> None:
        """Keep a piece."""

    def get(self, batch_id: str, name: str) -> bytes:
        """The piece."""

    def is_empty(self) -> bool:
        """Whether there is nothing at all."""

    def remove(self, batch_id: str, names: Sequence[str]) -> None:
        """Remove pieces; one that is gone is fine."""

    def remove_batch(self, batch_id: str) -> None:
        """Remove all pieces of a batch."""

    def older_than(self, seconds: float) -> list[str]:
        """Batches that were last added to longer ago."""


class Folder:
    """A folder for each batch under ``root``, which is made."""

    sweep_seconds = 60.0

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, batch_id: str, name: str, data: bytes) -> None:
        """A file of its own, mode 0600."""
        path = self.root / batch_id / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(data)

    def get(self, batch_id: str, name: str) -> bytes:
        """The file's bytes."""
        try:
            return (self.root / batch_id / name).read_bytes()
        except FileNotFoundError:
            self._check()
            raise

    def is_empty(self) -> bool:
        """Whether the folder is."""
        with os.scandir(self.root) as found:
            return next(found, None) is None

    def remove(self, batch_id: str, names: Sequence[str]) -> None:
        """Remove the files."""
        for name in names:
            try:
                (self.root / batch_id / name).unlink()
            except FileNotFoundError:
                self._check()

    def _check(self) -> None:
        """What is not there may come back with its volume."""
        if not self.root.is_dir():
            raise OSError(errno.ENODEV, "the folder of photos is not there")

    def remove_batch(self, batch_id: str) -> None:
        """Remove the batch's folder."""
        shutil.rmtree(self.root / batch_id, ignore_errors=True)

    def older_than(self, seconds: float) -> list[str]:
        """By the folders' times."""
        since = now() - seconds
        with os.scandir(self.root) as found:
            return [entry.name for entry in found if entry.is_dir() and entry.stat().st_mtime < since]


class Bucket:
    """Objects ``prefix/batch/name`` at an address such as ``s3://bucket/prefix``.

    Credentials come from the environment, where obstore looks for them. It is tried once; raises :class:`StartError`.
    """

    sweep_seconds = 3600.0

    def __init__(self, address: str) -> None:
        scheme, _, rest = address.partition("://")
        bucket, _, prefix = rest.partition("/")
        if not bucket or "@" in bucket:
            raise StartError("FAUNALENS_PHOTOS is s3://bucket/prefix; credentials belong in the environment")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._store = open_bucket(f"{scheme}://{bucket}")
        try:
            self.put(_PROBE, "probe", b"")
            self.remove(_PROBE, ["probe"])
        except OSError as error:
            raise StartError(f"photos cannot be kept at {scheme}://{bucket}: look at the store's variables") from error

    def put(self, batch_id: str, name: str, data: bytes) -> None:
        """An object."""
        import obstore

        with _safe():
            obstore.put(self._store, self._key(batch_id, name), data)

    def get(self, batch_id: str, name: str) -> bytes:
        """The object's bytes."""
        import obstore

        with _safe():
            return bytes(obstore.get(self._store, self._key(batch_id, name)).bytes())

    def is_empty(self) -> bool:
        """Whether there is no object."""
        return next(self._listed(self._prefix), None) is None

    def remove(self, batch_id: str, names: Sequence[str]) -> None:
        """Remove the objects, many in one request."""
        self._remove([self._key(batch_id, name) for name in names])

    def remove_batch(self, batch_id: str) -> None:
        """Remove the batch's objects."""
        self._remove([path for path, _ in self._listed(f"{self._prefix}{batch_id}/")])

    def older_than(self, seconds: float) -> list[str]:
        """By the newest object of each batch."""
        newest: dict[str, float] = {}
        for path, moment in self._listed(self._prefix):
            batch_id, _, name = path[len(self._prefix) :].partition("/")
            if name:
                newest[batch_id] = max(moment, newest.get(batch_id, 0.0))
        return [batch_id for batch_id, moment in newest.items() if moment < now() - seconds]

    def _key(self, batch_id: str, name: str) -> str:
        return f"{self._prefix}{batch_id}/{name}"

    def _listed(self, prefix: str) -> Iterator[tuple[str, float]]:
        import obstore

        with _safe():
            for page in obstore.list(self._store, prefix or None):
                for found in page:
                    yield found["path"], found["last_modified"].timestamp()

    def _remove(self, keys: list[str]) -> None:
        import obstore

        with _safe(), contextlib.suppress(FileNotFoundError):
            if keys:
                obstore.delete(self._store, keys)


def open_place(address: str | None, folder: Path) -> Place:
    """The object store at ``address``, or ``folder``; raises :class:`StartError` and :class:`OSError`."""
    return Bucket(address) if address else Folder(folder)


@contextlib.contextmanager
def _safe() -> Iterator[None]:
    """Obstore's errors, some of which are Python's own, as :class:`OSError`."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(2, "there is no such object") from None
    except Exception as error:
        raise OSError(5, f"the object store cannot be used: {type(error).__name__}") from None
