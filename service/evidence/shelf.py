"""Where a package lies: a zip file or a folder, written file by file, read within bounds; names of its files."""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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
    """Writes a package to ``out``, a zip file if it ends in ``.zip``, else a folder; neither may be there before.

    It takes shape beside ``out`` and gets its name at the end of the ``with`` block, so that there is never half a one.
    Nobody else may read it. Raises :class:`OSError`.
    """

    def __init__(self, out: Path) -> None:
        if out.exists():
            raise FileExistsError(17, "it is there already", str(out))
        self._out = out
        self._draft = out.with_name(f".{out.name}.part")
        self.files: list[Filed] = []
        self._zip: zipfile.ZipFile | None = None

    def __enter__(self) -> "Writer":
        self._drop()
        if self._out.suffix.lower() == ".zip":
            os.close(os.open(self._draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            self._zip = zipfile.ZipFile(self._draft, "w")
        else:
            self._draft.mkdir(mode=0o700, parents=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if self._zip:
                self._zip.close()
            if kind is None:
                self._draft.rename(self._out)
        finally:
            # whatever kept it from its name, a full disk for one
            self._drop()

    def add(self, path: str, data: bytes) -> str:
        """A file; returns its path."""
        if self._zip:
            method = zipfile.ZIP_DEFLATED if path.endswith((".json", ".html", ".jsonl")) else zipfile.ZIP_STORED
            self._zip.writestr(path, data, method)
        else:
            place = self._draft / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        self.files.append(Filed(path, hashlib.sha256(data).hexdigest(), len(data)))
        return path

    def _drop(self) -> None:
        if self._draft.is_dir():
            shutil.rmtree(self._draft)
        else:
            self._draft.unlink(missing_ok=True)


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
            return stream.read(most + 1)


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
        with place.open("rb") as stream:
            return stream.read(most + 1)


def open_shelf(path: Path) -> Shelf:
    """The package at ``path``; raises :class:`OSError` or :class:`zipfile.BadZipFile`."""
    return _Folder(path) if path.is_dir() else _Zip(zipfile.ZipFile(path))
