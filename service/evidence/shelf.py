"""Where a package lies: a zip file or a folder, written file by file, read within bounds; names of its files."""

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from service.drafts import drafted

FORMAT = "faunalens-evidence/1"
MANIFEST, SIGNATURE, COVER, LOG = "manifest.json", "manifest.sig", "index.html", "log.json"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
MOST_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Filed:
    """A file of a package: its path in it, its SHA-256 and its bytes."""

    path: str
    sha256: str
    bytes: int


class Writer:
    """Puts files into a package by ``put``, and lists them in ``files``."""

    def __init__(self, put: Callable[[str, bytes], None]) -> None:
        self._put = put
        self.files: list[Filed] = []

    def add(self, path: str, data: bytes) -> str:
        """A file; returns its path."""
        self._put(path, data)
        self.files.append(Filed(path, hashlib.sha256(data).hexdigest(), len(data)))
        return path


@contextlib.contextmanager
def new_package(out: Path) -> Iterator[Writer]:
    """Writes a package to ``out``, a zip file if it ends in ``.zip``, else a folder; neither may be there before.

    It gets its name at the end, so that there is never half a one. Nobody else may read it. Raises :class:`OSError`.
    """
    zipped = out.suffix.lower() == ".zip"
    if not zipped:
        out.parent.mkdir(parents=True, exist_ok=True)
    with drafted(out) as draft:
        if out.exists():
            raise FileExistsError(17, "it is there already", str(out))
        if zipped:
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with zipfile.ZipFile(draft, "w") as archive:
                yield Writer(partial(_into_zip, archive))
        else:
            draft.mkdir(mode=0o700)
            yield Writer(partial(_into_folder, draft))
        draft.rename(out)


def _into_zip(archive: zipfile.ZipFile, path: str, data: bytes) -> None:
    method = zipfile.ZIP_DEFLATED if path.endswith((".json", ".html", ".jsonl")) else zipfile.ZIP_STORED
    archive.writestr(path, data, method)


def _into_folder(root: Path, path: str, data: bytes) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)


class Shelf(Protocol):
    """A package that is read."""

    def names(self) -> Iterator[str]:
        """Paths of its files; one that is there twice comes twice."""

    def read(self, path: str, most: int = MOST_BYTES) -> bytes:
        """A file, at most ``most`` + 1 bytes of it; raises :class:`KeyError`, :class:`OSError`, ``zipfile``'s."""


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def names(self) -> Iterator[str]:
        return (info.filename for info in self._archive.infolist() if info.file_size or not info.is_dir())

    def read(self, path: str, most: int = MOST_BYTES) -> bytes:
        if self._archive.getinfo(path).compress_type not in _METHODS:
            # zipfile unpacks others without a bound
            raise NotImplementedError(f"{path} is neither stored nor deflated")
        with self._archive.open(path) as stream:
            return stream.read(max(most, 0) + 1)


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> Iterator[str]:
        found = (path for path in self._root.rglob("*") if path.is_symlink() or not path.is_dir())
        return (str(path.relative_to(self._root)) for path in found)

    def read(self, path: str, most: int = MOST_BYTES) -> bytes:
        place = (self._root / path).resolve()
        if not place.is_relative_to(self._root.resolve()):
            raise OSError(40, "it leads out of the package", path)
        if not place.is_file():
            # nobody may ever write into a pipe
            raise OSError(2, "there is no such file", path)
        with place.open("rb") as stream:
            return stream.read(max(most, 0) + 1)


def open_shelf(path: Path) -> Shelf:
    """The package at ``path``; raises :class:`OSError` or :class:`zipfile.BadZipFile`."""
    return _Folder(path) if path.is_dir() else _Zip(zipfile.ZipFile(path))
