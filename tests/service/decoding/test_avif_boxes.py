"""Code points of AVIF in boxes as other encoders write them, and as hostile ones do."""

import struct

import pytest

from service.decoding.avif import code_points
from tests.service.decoding.test_avif import LONG, PQ, SRGB, written
from tests.service.odd import box, nclx

HEADER = written(*LONG["still"])
STREAM = b"\x0a" + bytes([len(HEADER)]) + HEADER
START = 24
OTHER = (1, 8)


def full(kind: bytes, content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, flags]) + content)


def large(kind: bytes, content: bytes, size: int | None = None) -> bytes:
    return struct.pack(">I4sQ", 1, kind, 16 + len(content) if size is None else size) + content


def number(value: int, *sizes: int) -> bytes:
    """``value`` in so many bytes, once for each; in none it is not there."""
    return b"".join(value.to_bytes(size) for size in sizes if size)


def colr(*points: int) -> bytes:
    return box(b"colr", nclx(*points))


def file(*boxes: bytes, brand: bytes = b"avif", stream: bytes = STREAM) -> bytes:
    """A stream at ``START``, and boxes."""
    return box(b"ftyp", brand + bytes(4)) + box(b"mdat", stream) + b"".join(boxes)


def inner(*boxes: bytes, item: int = 1, wide: int = 2) -> bytes:
    """What the box of a still picture has in it."""
    return full(b"pitm", number(item, wide), wide == 4) + b"".join(boxes) + box(b"iprp", box(b"ipco", b""))


def still(*boxes: bytes, item: int = 1, wide: int = 2) -> bytes:
    return file(full(b"meta", inner(*boxes, item=item, wide=wide)))


def iloc(item: int, version: int, sizes: tuple[int, int, int, int], start: int, inside: bool = False) -> bytes:
    """Where an item lies that has ``STREAM`` in two parts, and before it one that lies nowhere.

    ``sizes``: bytes of offsets, lengths, bases and indices.
    """
    offset, length, base, index = sizes
    wide = 4 if version == 2 else 2

    def entry(owner: int, *parts: tuple[int, int]) -> bytes:
        head = number(owner, wide) + number(int(inside), 2 * bool(version)) + number(0, 2)
        places = b"".join(
            number(7, index * bool(version)) + number(at + (0 if base else start), offset) + number(size, length)
            for at, size in parts
        )
        return head + number(start, base) + number(len(parts), 2) + places

    halves = [(0, 5), (5, len(STREAM) - 5)] if offset else [(0, len(STREAM))]
    entries = entry(item + 1, (1, 1), (2, 2)) if offset else b""
    sized = bytes([offset << 4 | length, base << 4 | index])
    return full(b"iloc", sized + number(1 + bool(offset), wide) + entries + entry(item, *halves), version)


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("sizes", [(4, 4, 0, 0), (4, 4, 4, 0), (8, 8, 8, 8), (4, 8, 4, 4), (8, 4, 0, 4), (0, 4, 4, 0)])
def test_an_item_lies_where_its_extents_say(version: int, sizes: tuple[int, int, int, int]) -> None:
    assert code_points(still(iloc(1, version, sizes, START))) == PQ
    within = box(b"idat", b"??" + STREAM)
    if version:
        assert code_points(still(iloc(1, version, sizes, 2, inside=True), within)) == PQ
    else:
        assert code_points(still(within, iloc(1, version, sizes, START, inside=True))) == PQ
    with pytest.raises(ValueError, match="nowhere"):
        code_points(still(iloc(3, version, sizes, START)))


def test_of_a_long_stream_the_first_bytes_are_read() -> None:
    """However often its extents name them."""
    empty = b"\x12\0" * 32_000
    places = struct.pack(">2B6H", 0x44, 0, 1, 1, 0, 60_000, 0, 0)
    head = full(b"iloc", places[:-4] + struct.pack(">II", START, len(empty)) * 60_000)
    with pytest.raises(IndexError):
        code_points(file(full(b"meta", inner(head)), stream=empty))


@pytest.mark.parametrize("wide", [2, 4])
@pytest.mark.parametrize("long", [False, True])
def test_an_item_has_the_properties_that_are_associated(wide: int, long: bool) -> None:
    item, size = (0x10001 if wide == 4 else 1), 2 if long else 1
    essential = 0x8000 if long else 0x80
    kept = box(b"ipco", box(b"free", b"") * (200 if long else 3) + colr(*OTHER) + box(b"colr", b"prof") + colr(*PQ))
    first = 201 if long else 4

    def associated(*indices: int) -> bytes:
        uses = number(item + 1, wide) + b"\2" + number(first, size, size)
        uses += number(item, wide) + bytes([len(indices)]) + b"".join(number(index, size) for index in indices)
        uses += number(item + 2, wide) + b"\1" + number(first, size)
        return box(b"iprp", kept + full(b"ipma", number(3, 4) + uses, wide == 4, long))

    lies = iloc(item, 2, (4, 4, 0, 0), START)
    for index in (first + 2, first + 2 | essential):
        assert code_points(still(associated(0, 1, first + 1, index), lies, item=item, wide=wide)) == PQ
    assert code_points(still(associated(first), lies, item=item, wide=wide)) == OTHER
    with pytest.raises(IndexError):
        code_points(still(associated(first + 3), lies, item=item, wide=wide))


@pytest.mark.parametrize("wide", [2, 4])
def test_a_grid_has_the_stream_of_its_first_tile(wide: int) -> None:
    def refers(kind: bytes, owner: int, *others: int) -> bytes:
        return box(kind, number(owner, wide) + number(len(others), 2) + b"".join(number(one, wide) for one in others))

    said = refers(b"cdsc", 1, 5) + refers(b"dimg", 2, 5) + refers(b"dimg", 1, 3, 4)
    assert code_points(still(full(b"iref", said, wide == 4), iloc(3, 1, (4, 4, 0, 0), START))) == PQ


def test_boxes_of_every_length() -> None:
    inside = inner(iloc(1, 0, (4, 4, 0, 0), START))
    assert code_points(file(large(b"meta", bytes(4) + inside))) == PQ
    assert code_points(file(struct.pack(">I4s", 0, b"meta") + bytes(4) + inside)) == PQ
    assert code_points(file(box(b"free", b""), large(b"free", b""), full(b"meta", inside), b"1234567")) == PQ
    for broken in (large(b"free", b"", 15), struct.pack(">I4s", 7, b"free"), struct.pack(">I4s", 999, b"free")):
        with pytest.raises(ValueError, match="outside"):
            code_points(file(broken, full(b"meta", inside)))


def test_a_box_of_colours_that_breaks_off() -> None:
    with pytest.raises(struct.error):
        code_points(moving(track(box(b"colr", b"nclx\0\1"))))


def track(colours: bytes = b"", before: bytes = b"", at: int = START, chunks: bytes | None = None) -> bytes:
    chunks = full(b"stco", number(1, 4) + number(at, 4)) if chunks is None else chunks
    entry = full(b"stsd", number(1, 4) + box(b"av01", bytes(78) + colours))
    return box(b"trak", before + box(b"mdia", box(b"minf", box(b"stbl", entry + chunks))))


def moving(*tracks: bytes) -> bytes:
    return file(box(b"moov", b"".join(tracks)), brand=b"avis")


def test_what_moves_says_it_in_its_track_or_its_stream() -> None:
    assert code_points(moving(track(box(b"colr", b"prof") + colr(*OTHER)))) == OTHER
    assert code_points(moving(track())) == PQ
    assert code_points(moving(track(chunks=full(b"co64", number(1, 4) + number(START, 8))))) == PQ
    with pytest.raises(ValueError, match="nowhere"):
        code_points(moving(track(chunks=b"")))
    with pytest.raises(ValueError, match="missing"):
        code_points(moving(box(b"trak", b"")))


def test_a_track_of_opacity_says_nothing() -> None:
    """It may come first, and its stream say anything."""
    opacity = track(colr(*OTHER), box(b"tref", box(b"auxl", number(1, 4))))
    assert code_points(moving(opacity, track())) == PQ


def test_tracks_that_disagree_are_refused_wherever_they_say_it() -> None:
    """The first was believed, which no browser may show: its box, or its stream."""
    assert code_points(moving(track(colr(*PQ)), track())) == PQ
    for tracks in (
        (track(colr(*SRGB)), track()),
        (track(), track(colr(*SRGB))),
        (track(colr(*SRGB)), track(colr(*PQ))),
    ):
        with pytest.raises(ValueError, match="several"):
            code_points(moving(*tracks))
    entries = full(b"stsd", number(2, 4) + box(b"av01", bytes(78)) + box(b"av01", bytes(78) + colr(*SRGB)))
    two = box(b"mdia", box(b"minf", box(b"stbl", entries + full(b"stco", number(1, 4) + number(START, 4)))))
    assert code_points(moving(box(b"trak", two))) == PQ, "of several entries the first is shown"


def test_the_brand_says_whether_it_moves() -> None:
    meta, tracks = full(b"meta", inner(iloc(1, 0, (4, 4, 0, 0), START))), box(b"moov", track(colr(*OTHER)))
    assert code_points(file(meta, tracks)) == PQ and code_points(file(meta, tracks, brand=b"avis")) == OTHER


def test_what_is_said_to_move_and_has_no_track_is_still() -> None:
    inside = inner(iloc(1, 0, (4, 4, 0, 0), START))
    assert code_points(file(full(b"meta", inside), brand=b"avis")) == PQ
