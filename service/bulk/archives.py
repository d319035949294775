"""Pictures out of a zip or a tar, one after the other, within limits.

Nothing is extracted to a path: names are only shown back. What is no file (links, devices, folders), what is
hidden and what systems add (``__MACOSX``) is left out. An archive inside an archive is a file that is no picture.
Members of a zip must be stored or deflated: ``zipfile`` unpacks others without a bound, and a kilobyte of bzip2 can be
gigabytes.
"""

import gzip
import json
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, cast

from service.bulk.spool import Spool
from service.errors import ErrorCode, FaunalensError, reason_of
from service.scanning.archives import METHODS, is_file, name_of, overlaps
from service.scanning.entries import is_hidden
from service.scanning.tapes import Tape, up_to

_TABLE_ENTRY = 512
_TABLE_LEAST = 1_048_576
_HEADERS, _HEADERS_LEAST = 10, 1_000
_GZIP = b"\x1f\x8b"
# RuntimeError: a member under a password, or of an encryption that zipfile lacks
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, ValueError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most pictures of an archive, most bytes of one, most bytes of all unpacked."""

    files: int
    single: int
    total: int

    @property
    def table(self) -> int:
        """Most bytes that a table of contents may take."""
        return max(_TABLE_LEAST, self.files * _TABLE_ENTRY)

    @property
    def headers(self) -> int:
        """Most files of a tar, with those that are no pictures."""
        return max(_HEADERS_LEAST, self.files * _HEADERS)


@dataclass(frozen=True, slots=True)
class Member:
    """A picture: its bytes, or why it has none (JSON of an error)."""

    name: str
    data: bytes
    refusal: str | None = None


def members(kind: str, spool: Spool, bounds: Bounds) -> Iterator[Member]:
    """The pictures of an archive, ``zip`` or ``tar``, which may be packed by gzip.

    A member that is too large or damaged is told with its refusal. Raises ``corrupt_archive``, ``too_many_files`` and
    ``too_many_bytes``.
    """
    opened = _zip(spool, bounds) if kind == "zip" else _tar(spool, bounds)
    count = 0
    try:
        for member in opened:
            count += 1
            if count > bounds.files:
                raise too_many_files(bounds.files)
            yield member
    except _BROKEN as error:
        raise _corrupt(reason_of(error)) from error


def _zip(spool: Spool, bounds: Bounds) -> Iterator[Member]:
    left = bounds.total
    with zipfile.ZipFile(cast(IO[bytes], spool)) as archive:
        if overlaps(archive):
            raise _corrupt("overlap")
        for info in archive.infolist():
            name = name_of(info)
            if not is_file(info) or _is_clutter(name):
                continue
            if info.compress_type not in METHODS:
                yield Member(name, b"", refusal(_corrupt("compression")))
                continue
            # zipfile unpacks no more than that, also of a member that turns out to be damaged
            left -= min(info.file_size, bounds.single + 1)
            if left < 0:
                raise too_many_bytes(bounds.total)
            try:
                with archive.open(info) as stream:
                    data = up_to(stream, bounds.single + 1)
            except _BROKEN:
                yield Member(name, b"", refusal(_corrupt("member")))
                continue
            yield _member(name, data, bounds)


def _tar(spool: Spool, bounds: Bounds) -> Iterator[Member]:
    left, headers = bounds.total, 0
    with Tape(_unpacked(spool)) as archive:
        for info in archive:
            left, headers = left - info.size, headers + 1
            # what is no picture costs time too; each picture has up to three headers before it
            if left < 0 or archive.offset > bounds.total + (bounds.files + 1) * 3 * _TABLE_ENTRY * 2:
                raise too_many_bytes(bounds.total)
            if headers > bounds.headers:
                raise too_many_files(bounds.files)
            stream = archive.extractfile(info) if info.isreg() and not _is_clutter(info.name) else None
            if stream is not None:
                with stream:
                    yield _member(info.name, up_to(stream, bounds.single + 1), bounds)


def _unpacked(spool: Spool) -> IO[bytes]:
    """The tar, which may be packed by gzip."""
    raw = cast(IO[bytes], spool)
    packed = spool.read(len(_GZIP)) == _GZIP
    spool.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw


def _member(name: str, data: bytes, bounds: Bounds) -> Member:
    if len(data) <= bounds.single:
        return Member(name, data)
    return Member(name, b"", refusal(too_many_bytes(bounds.single)))


def _is_clutter(name: str) -> bool:
    return is_hidden(name.replace("\\", "/"))


def refusal(error: FaunalensError) -> str:
    """An error as an item keeps it."""
    return json.dumps(error.to_dict())


def too_many_bytes(most: int) -> FaunalensError:
    """The error of what is larger than ``most`` bytes."""
    return FaunalensError(ErrorCode.TOO_MANY_BYTES, f"There are more than {most} bytes.", {"max_bytes": most})


def too_many_files(most: int) -> FaunalensError:
    """The error of a batch of more than ``most`` pictures."""
    return FaunalensError(ErrorCode.TOO_MANY_FILES, f"More than {most} pictures in one batch.", {"max_files": most})


def _corrupt(reason: str) -> FaunalensError:
    return FaunalensError(ErrorCode.CORRUPT_ARCHIVE, "The archive cannot be read.", {"reason": reason})
