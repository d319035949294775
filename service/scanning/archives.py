"""Pictures inside tar and zip files, read one after another without unpacking to disk.

An entry is named ``archive.zip!inner/path.jpg``. Only regular files with a picture's ending are read, never more of one
than an image may have; hidden entries, links and archives inside archives are skipped. Names are shown, never used as
paths. Unpacking is bounded too: ``tarfile``'s own streams and ``zipfile``'s bzip2 and LZMA unpack a block whole, and a
kilobyte of bzip2 can be gigabytes; for tars see :mod:`service.scanning.tapes`.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, cast

from service.sanitise import encodable
from service.scanning.entries import Entry, LeftOut, unreadable
from service.scanning.tapes import Tape, up_to

Opener = Callable[[str, IO[bytes]], Iterator[Entry]]
_ZIPS = (".zip",)
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_UTF8 = 0x800
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# RuntimeError: an entry under a password, or of an encryption that zipfile lacks
_BROKEN = (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
           tarfile.TarError)  # fmt: skip


def opener(file: str, wanted: Callable[[str], bool], max_bytes: int, left_out: LeftOut) -> Opener | None:
    """What reads the entries of ``file``, as far as ``wanted`` by name; None where its name is no archive's.

    It takes the archive's name and the archive, open; what is no picture is counted in ``left_out``. One that breaks
    off gives the entries before that, and one entry under its own name with the reason.
    """
    name = file.lower()
    read = _zip if name.endswith(_ZIPS) else _tar if name.endswith(_TARS) else None
    if read is None:
        return None

    def entries(file: str, stream: IO[bytes]) -> Iterator[Entry]:
        try:
            with stream:
                yield from read(file, stream, wanted, max_bytes, left_out)
        except _BROKEN as error:
            yield Entry(file, unreadable(error))

    return entries


def overlaps(archive: zipfile.ZipFile) -> bool:
    """Whether entries lie over each other, so that a few bytes are unpacked again and again.

    Python looks for it from 3.11.8 on, and then entry by entry.
    """
    return sum(info.compress_size for info in archive.infolist()) > archive.start_dir


def is_file(info: zipfile.ZipInfo) -> bool:
    """Whether an entry of a zip is a file: neither a folder nor a symbolic link, and it has a name.

    The high half of its attributes is a Unix mode.
    """
    return info.filename != "" and not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16)


def name_of(info: zipfile.ZipInfo) -> str:
    """The name of an entry; ``zip`` and the Finder write UTF-8 without the flag that says so."""
    if not info.flag_bits & _UTF8:
        with contextlib.suppress(UnicodeError):
            return info.filename.encode("cp437").decode()
    return info.filename


def _zip(
    file: str, stream: IO[bytes], wanted: Callable[[str], bool], max_bytes: int, left_out: LeftOut
) -> Iterator[Entry]:
    with zipfile.ZipFile(stream) as archive:
        if overlaps(archive):
            raise zipfile.BadZipFile("its entries lie over each other")
        for info in archive.infolist():
            inner = name_of(info)
            name = f"{file}!{encodable(inner)}"
            if not is_file(info):
                if not info.filename.endswith("/"):
                    left_out.add("links")
                continue
            if not left_out.takes(inner) or not wanted(name):
                continue
            if info.compress_type not in METHODS:
                yield Entry(name, unreadable(NotImplementedError("neither stored nor deflated")))
                continue
            try:
                with archive.open(info) as entry:
                    yield Entry(name, entry.read(max_bytes + 1))
            except _BROKEN as error:
                # the next entry has its own place in the file
                yield Entry(name, unreadable(error))


def _tar(
    file: str, stream: IO[bytes], wanted: Callable[[str], bool], max_bytes: int, left_out: LeftOut
) -> Iterator[Entry]:
    with Tape(_unpacked(stream)) as archive:
        for info in archive:
            name = f"{file}!{encodable(info.name)}"
            if not info.isreg():
                if not info.isdir():
                    left_out.add("links" if info.issym() or info.islnk() else "devices")
            elif left_out.takes(info.name) and wanted(name):
                entry = archive.extractfile(info)
                assert entry is not None
                with contextlib.closing(entry):
                    data = up_to(entry, max_bytes + 1)
                if len(data) < min(info.size, max_bytes + 1):
                    raise tarfile.ReadError("unexpected end of data")
                yield Entry(name, data)


def _unpacked(stream: IO[bytes]) -> IO[bytes]:
    """A tar, unpacked a piece at a time, by what its first bytes say."""
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, stream))
    start = buffered.peek(6)
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=buffered))
    if start.startswith(b"BZh"):
        return cast(IO[bytes], bz2.BZ2File(buffered))
    return cast(IO[bytes], lzma.LZMAFile(buffered)) if start.startswith(b"\xfd7zXZ\0") else buffered
