"""Archives, honest and hostile."""

import contextlib
import gzip
import io
import json
import random
import re
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from service.bulk.archives import Bounds, Member, members
from service.bulk.spool import Spool
from service.errors import ErrorCode, FaunalensError
from tests.service.hostile import overlapping
from tests.service.scanning.test_archives import OldInfo

BOUNDS = Bounds(files=5, single=1000, total=3000)
NAMES = ["a.jpg", "folder/b.jpg", "../../etc/passwd", "/abs.jpg"]


def packed(names: Sequence[str | zipfile.ZipInfo], data: bytes = b"data", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name in names:
            archive.writestr(name, data)
    return stream.getvalue()


def tarred(entries: list[tuple[tarfile.TarInfo, bytes]], kind: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


PACKED = gzip.compress(tarred([(tarfile.TarInfo("a"), b"")]))


def file(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info


def read(folder: Path, kind: str, data: bytes, bounds: Bounds = BOUNDS) -> list[Member]:
    with Spool(folder, bounds.table) as spool:
        spool.append(data)
        return list(members(kind.removesuffix(".gz"), spool, bounds))


def code(folder: Path, kind: str, data: bytes, bounds: Bounds = BOUNDS) -> ErrorCode:
    with pytest.raises(FaunalensError) as caught:
        read(folder, kind, data, bounds)
    return caught.value.code


def all_kinds(names: list[str]) -> list[tuple[str, bytes]]:
    tar = tarred([(file(name, 4), b"data") for name in names])
    return [("zip", packed(names)), ("tar", tar), ("tar.gz", gzip.compress(tar))]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_members_come_in_order_and_names_touch_nothing(kind: str, tmp_path: Path) -> None:
    data = dict(all_kinds(NAMES))[kind]
    exactly = Bounds(files=len(NAMES), single=4, total=4 * len(NAMES))
    found = read(tmp_path, kind, data, exactly)
    assert [(member.name, member.data) for member in found] == [(name, b"data") for name in NAMES]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_clutter_and_folders_are_left_out(kind: str, tmp_path: Path) -> None:
    data = dict(
        all_kinds(["__MACOSX/a.jpg", "x\\.hidden.jpg", "x/.DS_Store", "x/._b.jpg", ".thumbnails/a.jpg", "./c.jpg"])
    )[kind]
    assert [member.name for member in read(tmp_path, kind, data)] == ["./c.jpg"]
    assert read(tmp_path, "zip", packed(["folder/"])) == []
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert read(tmp_path, "zip", packed([link])) == []


def test_names_of_a_zip_are_utf8_also_where_the_flag_is_missing(tmp_path: Path) -> None:
    data = packed([OldInfo("L-1/näme 象.jpg".encode().decode("cp437")), OldInfo("L-1/n\u00e4me.jpg")])
    assert [(member.name, member.data) for member in read(tmp_path, "zip", data)] == [
        ("L-1/näme 象.jpg", b"data"), ("L-1/näme.jpg", b"data"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_too_many(kind: str, tmp_path: Path) -> None:
    data = dict(all_kinds([f"{number}.jpg" for number in range(6)]))[kind]
    assert code(tmp_path, kind, data) is ErrorCode.TOO_MANY_FILES


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_one_too_large_spoils_no_other(kind: str, tmp_path: Path) -> None:
    names, large = ["a", "b"], bytes(1001)
    tar = tarred([(file("a", 1001), large), (file("b", 4), b"data")])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a", large)
        archive.writestr("b", b"data")
    data = {"zip": stream.getvalue(), "tar": tar, "tar.gz": gzip.compress(tar)}[kind]
    first, second = read(tmp_path, kind, data)
    assert [first.name, second.name] == names and second.data == b"data" and second.refusal is None
    assert json.loads(first.refusal or "")["code"] == "too_many_bytes"


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_too_much_together(kind: str, tmp_path: Path) -> None:
    tar = tarred([(file(str(number), 900), bytes(900)) for number in range(4)])
    data = {"zip": packed(list("abcd"), bytes(900)), "tar": tar, "tar.gz": gzip.compress(tar)}[kind]
    assert code(tmp_path, kind, data) is ErrorCode.TOO_MANY_BYTES


def test_bombs_cost_no_memory(tmp_path: Path) -> None:
    """A gigabyte of zeros in one member, as a zip, as a tar member and as a tar's own header."""
    zeros = bytes(1 << 20)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("bomb", "w") as member:
        for _ in range(100):
            member.write(zeros)
    claims = file("bomb", 1 << 30).tobuf()
    header = file("x", 1 << 30, tarfile.XHDTYPE).tobuf()
    bombs = [
        ("zip", stream.getvalue()),
        ("tar.gz", gzip.compress(claims + zeros * 20, 1)),
        ("tar.gz", gzip.compress(header + zeros * 20, 1)),
    ]
    tracemalloc.start()
    try:
        assert [json.loads(m.refusal or "{}")["code"] for m in read(tmp_path, *bombs[0])] == ["too_many_bytes"]
        assert code(tmp_path, *bombs[1]) is ErrorCode.TOO_MANY_BYTES
        assert code(tmp_path, *bombs[2]) is ErrorCode.CORRUPT_ARCHIVE
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_without_a_bound_are_refused(method: int, tmp_path: Path) -> None:
    """A gigabyte of zeros is a kilobyte of bzip2, and zipfile would unpack it in one go."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        with archive.open(zipfile.ZipInfo("a.jpg"), "w") as member:
            member.write(b"data")
        archive.writestr("bomb.jpg", bytes(64 << 20), method)
    tracemalloc.start()
    try:
        good, bomb = read(tmp_path, "zip", stream.getvalue())
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert good.data == b"data"
    assert json.loads(bomb.refusal or "{}")["details"] == {"reason": "compression"}


def test_a_long_table_of_contents_is_not_read(tmp_path: Path) -> None:
    data = packed([f"{number:0200d}" for number in range(6000)], b"")
    assert code(tmp_path, "zip", data) is ErrorCode.CORRUPT_ARCHIVE
    assert len(read(tmp_path, "zip", data, Bounds(files=6000, single=1000, total=3000))) == 6000


def test_links_and_devices_are_left_out(tmp_path: Path) -> None:
    link = file("link", 0, tarfile.SYMTYPE)
    link.linkname = "/etc/passwd"
    hard = file("hard", 0, tarfile.LNKTYPE)
    hard.linkname = "a"
    device = file("null", 0, tarfile.CHRTYPE)
    data = tarred([(file("a", 4), b"data"), (link, b""), (hard, b""), (device, b"")])
    assert [member.name for member in read(tmp_path, "tar", data)] == ["a"]


def test_a_name_that_is_empty_spoils_no_other(tmp_path: Path) -> None:
    nameless = zipfile.ZipInfo("x")
    nameless.filename = ""
    assert [member.name for member in read(tmp_path, "zip", packed([nameless, "a"]))] == ["a"]


def test_a_packed_tar_whose_end_is_damaged_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(tarred([(file("a", 4), b"data")]))
    assert [member.data for member in read(tmp_path, "tar", whole)] == [b"data"]
    for damaged in (whole[:-8] + bytes(4) + whole[-4:], whole[:-4]):
        assert code(tmp_path, "tar", damaged) is ErrorCode.CORRUPT_ARCHIVE


def test_a_tar_with_a_damaged_header_is_not_taken_for_a_shorter_one(tmp_path: Path) -> None:
    data = bytearray(tarred([(file(name, 4), b"data") for name in "abc"]))
    data[1024] ^= 0xFF
    assert code(tmp_path, "tar", bytes(data)) is ErrorCode.CORRUPT_ARCHIVE


def test_an_archive_inside_is_a_file(tmp_path: Path) -> None:
    inner = packed(["a.jpg"])
    (member,) = read(tmp_path, "zip", packed(["inner.zip"], inner))
    assert member.data == inner


def test_damaged_members_spoil_no_other(tmp_path: Path) -> None:
    data = bytearray(packed(["a", "b"], b"data" * 20, zipfile.ZIP_STORED))
    data[data.index(b"data")] ^= 1
    first, second = read(tmp_path, "zip", bytes(data))
    assert json.loads(first.refusal or "")["code"] == "corrupt_archive" and second.refusal is None


def test_damaged_members_count_to_what_is_unpacked(tmp_path: Path) -> None:
    """They cost as much as others, and a zip of nothing else would be unpacked without a bound."""
    data = packed(list("abcd"), bytes(900))
    (checksum,) = set(re.findall(rb"PK\x01\x02.{12}(.{4})", data, re.DOTALL))
    assert code(tmp_path, "zip", data.replace(checksum, b"\xff" * 4)) is ErrorCode.TOO_MANY_BYTES


def test_members_under_a_password_are_refused(tmp_path: Path) -> None:
    data = bytearray(packed(["a"]))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(mark) + offset
        data[at : at + 2] = struct.pack("<H", 1)
    (member,) = read(tmp_path, "zip", bytes(data))
    assert json.loads(member.refusal or "")["code"] == "corrupt_archive"


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("zip", b"no zip", "not a zip"),
        ("tar", b"no tar" * 200, "invalid header"),
        ("tar.gz", PACKED[: len(PACKED) // 2], "ended before the end-of-stream marker"),
        ("tar.gz", PACKED[:10] + b"\xff" * 30, "while decompressing"),
    ],
    ids=["zip", "tar", "cut", "damaged"],
)
def test_who_sent_an_archive_is_told_in_words_what_is_wrong_with_it(
    kind: str, data: bytes, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(FaunalensError) as caught:
        read(tmp_path, kind, data)
    assert reason in caught.value.details["reason"]


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_a_tar_that_leads_back_ends(kind: str, tmp_path: Path) -> None:
    """By a negative size ``tarfile`` reads the same header for ever, and what is no file is not counted."""
    block = bytearray(file("loop", 0, b"Z").tobuf(tarfile.GNU_FORMAT))
    block[124:136] = b"\xff" + (256**11 - 512).to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    data = file("a", 0).tobuf() + bytes(block) + bytes(1024)
    assert code(tmp_path, kind, data if kind == "tar" else gzip.compress(data)) is ErrorCode.CORRUPT_ARCHIVE


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_headers_of_what_is_no_picture_are_bounded(kind: str, tmp_path: Path) -> None:
    folder, end = file("folder", 0, tarfile.DIRTYPE).tobuf(), bytes(1024)
    data = folder * 2_000 + end
    wide = Bounds(files=5, single=1000, total=10_000_000)
    assert code(tmp_path, kind, data if kind == "tar" else gzip.compress(data)) is ErrorCode.TOO_MANY_BYTES
    assert code(tmp_path, kind, data if kind == "tar" else gzip.compress(data), wide) is ErrorCode.TOO_MANY_FILES
    if kind == "tar":
        assert read(tmp_path, kind, folder * 1_000 + end, wide) == []
        assert read(tmp_path, kind, data, Bounds(files=200, single=1000, total=10_000_000)) == []


def test_a_zip_that_names_the_same_bytes_again_and_again_is_refused(tmp_path: Path) -> None:
    """Deflated nothing costs as much to unpack as it is long, and adds nothing to what was unpacked."""
    again = overlapping(packed(["a"], bytes(range(256)) * 3, zipfile.ZIP_STORED), 100)
    assert code(tmp_path, "zip", again, Bounds(1000, 1000, 3000)) is ErrorCode.CORRUPT_ARCHIVE


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archives_that_break_off_are_not_taken_for_shorter_ones(kind: str, tmp_path: Path) -> None:
    data = dict(all_kinds(NAMES))[kind]
    # the four members of the tar take 4096 bytes, then it is padded; packed, the padding is the last bytes
    cuts = {"zip": range(0, len(data), 7), "tar": (0, 1, 100, 512, 600, 1024, 2048, 4096), "tar.gz": range(0, 100, 7)}
    for cut in cuts[kind]:
        assert code(tmp_path, kind, data[:cut]) is ErrorCode.CORRUPT_ARCHIVE, cut


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_garbage_is_refused_with_a_code(kind: str, tmp_path: Path) -> None:
    for data in (b"\xff\xd8 a picture" * 100, bytes(range(256)) * 20, b"PK\x05\x06" + b"\xff" * 30):
        try:
            assert read(tmp_path, kind, data) == []
        except FaunalensError as error:
            assert error.code is ErrorCode.CORRUPT_ARCHIVE


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_any_bytes_give_members_or_a_typed_error(kind: str, tmp_path: Path) -> None:
    rng, good = random.Random(0), dict(all_kinds(["\u00e9.jpg", *NAMES]))[kind]
    for _ in range(200):
        data = bytearray(good)
        for place in rng.sample(range(len(data)), 3):
            data[place] = rng.randrange(256)
        with contextlib.suppress(FaunalensError):
            read(tmp_path, kind, bytes(data))
