"""Tars that would keep ``tarfile`` busy, or fill the memory, by what their headers say."""

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from typing import IO, cast

import pytest

from service.scanning.tapes import Tape, up_to

BLOCK = tarfile.BLOCKSIZE


def header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, sparse: bytes = b"") -> bytes:
    """A header as GNU's tar writes it; ``sparse``: the part of it that maps a sparse file."""
    info = tarfile.TarInfo(name)
    info.size, info.type = max(0, size), kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    if size < 0:
        block[124:136] = b"\xff" + (256**11 + size).to_bytes(11, "big")
    block[386 : 386 + len(sparse)] = sparse
    return summed(block)


def summed(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def attributes(text: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """An extended header with the record ``text``, which tells its own length."""
    padded = text + bytes(-len(text) % BLOCK)
    return header("attributes", len(text), kind) + padded


def record(name: bytes, value: bytes) -> bytes:
    rest, length = b" %s=%s\n" % (name, value), 0
    while length != len(b"%d" % length + rest):
        length = len(b"%d" % length + rest)
    return b"%d" % length + rest


def map_of(offset: int, count: int, size: int, more: bool = False) -> bytes:
    """A sparse map of one piece, and how large its file is when it is whole."""
    return b"%011o\0%011o\0" % (offset, count) + bytes(72) + bytes([more]) + b"%011o\0" % size


def endless_map() -> Iterator[bytes]:
    yield header("map", 0, tarfile.GNUTYPE_SPARSE, map_of(1, 1, 10, more=True))
    for _ in range(60):
        yield (b"%011o\0%011o\0" % (1, 1) * 21 + b"\1" + bytes(7)) * 512


def headers_of_headers() -> Iterator[bytes]:
    for number in range(200):
        yield attributes(record(b"k%d" % number, b"x" * 200_000))
    yield header("a")


def headers_for_all() -> Iterator[bytes]:
    for number in range(200):
        yield attributes(record(b"k%d" % number, b"x" * 200_000), tarfile.XGLTYPE)
        yield header(f"{number}")
    yield bytes(2 * BLOCK)


class Pieces(io.RawIOBase):
    """A stream of pieces that are made when they are read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces, self.left = pieces, b""

    def read(self, count: int = -1) -> bytes:
        while len(self.left) < count and (piece := next(self.pieces, b"")):
            self.left += piece
        data, self.left = self.left[:count], self.left[count:]
        return data


@pytest.mark.parametrize("made", [endless_map, headers_of_headers, headers_for_all])
def test_headers_do_not_fill_the_memory(made: Callable[[], Iterator[bytes]]) -> None:
    tracemalloc.start()
    try:
        with Tape(cast(IO[bytes], Pieces(made()))) as tape:
            assert sum(1 for _ in tape) == 200
    except tarfile.ReadError as error:
        assert "too long" in str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 12_000_000


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, b"Z", tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("size", [-1, -BLOCK, -2 * BLOCK, -3 * BLOCK])
def test_a_negative_size_leads_nowhere(kind: bytes, size: int) -> None:
    data = header("a", 1) + bytes(BLOCK) + header("b", size, kind) + bytes(1 << 21)
    stream = io.BytesIO(data)
    with pytest.raises(tarfile.ReadError), Tape(stream) as tape:
        list(tape)
    assert stream.tell() < 1 << 20, "a negative size would read all that is left"
    told = attributes(record(b"size", b"%d" % size)) + header("b", 0, kind) + bytes(2 * BLOCK)
    with pytest.raises(tarfile.ReadError), Tape(io.BytesIO(data[: 2 * BLOCK] + told)) as tape:
        list(tape)


def test_a_packed_tar_is_unpacked_once() -> None:
    """A map that points behind its file would have the tar unpacked from its beginning for the file after it."""
    liar = header("liar", 0, tarfile.GNUTYPE_SPARSE, map_of(0, 5_000, 5_000))
    data = gzip.compress(header("large", 1 << 20, b"Z") + bytes(1 << 20) + (liar * 10) + bytes(20 * BLOCK))
    stream = cast(IO[bytes], gzip.GzipFile(fileobj=io.BytesIO(data)))
    with Tape(stream) as tape:
        large, first = tape.next(), tape.next()
        assert large is not None and first is not None
        file = tape.extractfile(first)
        assert file is not None and len(up_to(file, 10_000)) == 5_000
        with pytest.raises(tarfile.ReadError, match="back"):
            tape.next()


@pytest.mark.parametrize(
    ("pack", "opened"),
    [(gzip.compress, gzip.open), (bz2.compress, bz2.open), (lzma.compress, lzma.open)],
)
def test_a_packed_tar_is_read_to_its_checksum(pack: Callable[[bytes], bytes], opened: Callable[..., IO[bytes]]) -> None:
    """A bit that changed on the way makes another photo, not always a stream that cannot be unpacked."""
    packed = pack(header("a", 4) + b"data".ljust(BLOCK, b"\0") + bytes(BLOCK * 18))
    with Tape(opened(io.BytesIO(packed))) as tape:
        assert [info.name for info in tape] == ["a"]
    changed = bytearray(packed)
    changed[-6] ^= 1
    for damaged in (changed, packed[:-4]):
        with pytest.raises((OSError, EOFError, lzma.LZMAError)), Tape(opened(io.BytesIO(damaged))) as tape:
            list(tape)


def test_what_follows_a_tar_is_not_unpacked_without_end() -> None:
    bomb = gzip.compress(header("a") + bytes(1 << 26), 1)
    with gzip.GzipFile(fileobj=io.BytesIO(bomb)) as stream, Tape(cast(IO[bytes], stream)) as tape:
        assert [info.name for info in tape] == ["a"]
        assert stream.tell() < 1 << 25


def test_honest_tars_are_read_whole() -> None:
    sizes = {"a.jpg": 700, "x" * 300 + ".jpg": 700, "é.jpg": 0, "large.jpg": 1_500_000, "folder": 700}
    for kind in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=kind) as archive:
            for name, size in sizes.items():
                info = tarfile.TarInfo(name)
                info.size = size
                archive.addfile(info, io.BytesIO(bytes(size)))
        stream.seek(0)
        with Tape(stream) as tape:
            found = {info.name: len(up_to(entry, 2_000_000)) for info in tape if (entry := tape.extractfile(info))}
        assert found == sizes


def test_a_member_may_be_larger_than_headers_may_be() -> None:
    size = 2 << 20
    with Tape(io.BytesIO(header("large.jpg", size) + bytes(size + 2 * BLOCK))) as tape:
        stream = tape.extractfile(next(iter(tape)))
        assert stream is not None and len(up_to(stream, size + 1)) == size


def test_a_sparse_file_has_its_holes() -> None:
    sparse = header("holes.jpg", 4, tarfile.GNUTYPE_SPARSE, map_of(10, 4, 20))
    with Tape(io.BytesIO(sparse + b"data" + bytes(3 * BLOCK - 4))) as tape:
        first = tape.next()
        assert first is not None
        stream = tape.extractfile(first)
        assert stream is not None and up_to(stream, 100) == bytes(10) + b"data" + bytes(6)
        assert tape.next() is None


@pytest.mark.parametrize("place", [0, 150, 200])
def test_a_damaged_header_does_not_end_the_tar_unseen(place: int) -> None:
    data = bytearray(header("a") + header("b") + header("c") + bytes(2 * BLOCK))
    data[BLOCK + place] ^= 0xFF
    with Tape(io.BytesIO(data)) as tape, pytest.raises(tarfile.ReadError, match="damaged"):
        list(tape)


@pytest.mark.parametrize("length", [2 * BLOCK, 2 * BLOCK + 100])
def test_a_tar_that_ends_between_two_members_is_not_whole(length: int) -> None:
    data = (header("a") + header("b") + header("c") + bytes(2 * BLOCK))[:length]
    with Tape(io.BytesIO(data)) as tape, pytest.raises(tarfile.ReadError):
        list(tape)
