"""Code points of AVIF in boxes as other encoders write them, and as hostile ones do."""

import cProfile
import struct

import pytest

from service.decoding.avif import check_tracks, code_points
from tests.service.decoding.test_avif import LONG, PQ, SRGB, written
from tests.service.odd import box, nclx

HEADER = written(*LONG["still"])
STREAM = b"\x0a" + bytes([len(HEADER)]) + HEADER
APART = STREAM[:5] + b"what" + STREAM[5:]
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


def file(*boxes: bytes, brand: bytes = b"avif", stream: bytes = STREAM + APART) -> bytes:
    """A stream at ``START``, its halves after it, and boxes."""
    return box(b"ftyp", brand + bytes(4)) + box(b"mdat", stream) + b"".join(boxes)


def inner(*boxes: bytes, item: int = 1, wide: int = 2) -> bytes:
    """What the box of a still picture has in it."""
    return full(b"pitm", number(item, wide), wide == 4) + b"".join(boxes) + box(b"iprp", box(b"ipco", b""))


def still(*boxes: bytes, item: int = 1, wide: int = 2) -> bytes:
    return file(full(b"meta", inner(*boxes, item=item, wide=wide)))


def iloc(item: int, version: int, sizes: tuple[int, int, int, int], start: int, inside: bool = False) -> bytes:
    """Where an item lies that has ``STREAM`` in two parts, then rubbish, and before it one that lies nowhere.

    ``sizes``: bytes of offsets, lengths, bases and indices.
    """
    offset, length, base, index = sizes
    wide = 4 if version == 2 else 2

    def entry(owner: int, *parts: tuple[int, int]) -> bytes:
        head = number(owner, wide) + number(int(inside), 2 * bool(version)) + number(1, 2)
        places = b"".join(
            number(7, index * bool(version)) + number(at + (0 if base else start), offset) + number(size, length)
            for at, size in parts
        )
        return head + number(start, base) + number(len(parts), 2) + places

    end = len(STREAM)
    halves = [(end, 5), (end + 9, end - 5), (0, 1)] if offset else [(0, end)]
    entries = entry(item + 1, (1, 1), (2, 2)) if offset else b""
    sized = bytes([offset << 4 | length, base << 4 | index])
    return full(b"iloc", sized + number(1 + bool(offset), wide) + entries + entry(item, *halves), version)


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("sizes", [(4, 4, 0, 0), (4, 4, 4, 0), (8, 8, 8, 8), (4, 8, 4, 4), (8, 4, 0, 4), (0, 4, 4, 0)])
def test_an_item_lies_where_its_extents_say(version: int, sizes: tuple[int, int, int, int]) -> None:
    assert code_points(still(iloc(1, version, sizes, START))) == PQ
    within = box(b"idat", b"??" + STREAM + APART)
    if version:
        assert code_points(still(iloc(1, version, sizes, 2, inside=True), within)) == PQ
    else:
        assert code_points(still(within, iloc(1, version, sizes, START, inside=True))) == PQ
    with pytest.raises(ValueError, match="nowhere"):
        code_points(still(iloc(3, version, sizes, START)))


def repeated(count: int, length: int) -> bytes:
    """Where item 1 lies: ``count`` times in the first ``length`` bytes of the stream."""
    places = struct.pack(">II", START, length) * count
    return full(b"meta", inner(full(b"iloc", struct.pack(">BB4H", 0x44, 0, 1, 1, 0, count) + places)))


@pytest.mark.parametrize("name", [b"iloc", b"ipma"])
def test_a_list_that_breaks_off_is_not_read_on(name: bytes) -> None:
    """It says to have four thousand million items."""
    listed = full(name, bytes(2) * (name == b"iloc") + b"\xff" * 4, 2 if name == b"iloc" else 0)
    head = full(b"pitm", number(1, 2)) + box(b"iprp", box(b"ipco", b"") + listed * (name == b"ipma"))
    with pytest.raises(IndexError):
        code_points(file(full(b"meta", head + listed * (name == b"iloc"))))


def test_of_a_long_stream_the_first_bytes_are_read() -> None:
    """However often its extents name them."""
    empty = b"\x12\0" * 2_000
    with pytest.raises(IndexError):
        code_points(file(repeated(60_000, len(empty)), stream=empty))


@pytest.mark.parametrize("size", [4_031, 4_032, 4_033, 4_034])
def test_a_sequence_header_that_chromium_does_not_reach_is_refused(size: int) -> None:
    filled = size - len(STREAM)
    late = (b"\x7a\1\0" * (filled % 2) + b"\x12\0" * filled)[:filled] + STREAM + b"\x32\0"
    for data in (file(repeated(1, len(late)), stream=late), moving(track(), stream=late)):
        if size <= 4_032:
            assert code_points(data) == PQ
        else:
            with pytest.raises(IndexError):
                code_points(data)


@pytest.mark.parametrize("wide", [2, 4])
@pytest.mark.parametrize("long", [False, True])
def test_an_item_has_the_properties_that_are_associated(wide: int, long: bool) -> None:
    item, size = (0x10001 if wide == 4 else 1), 2 if long else 1
    essential = 0x8000 if long else 0x80
    first = 301 if long else 4
    kept = box(
        b"ipco", box(b"free", b"") * (first - 1) + colr(*OTHER) + box(b"colr", b"prof") + colr(*PQ) + colr(*OTHER)
    )

    def associated(*indices: int) -> bytes:
        uses = number(item + 1, wide) + b"\2" + number(first, size, size)
        uses += number(item, wide) + bytes([len(indices)]) + b"".join(number(index, size) for index in indices)
        uses += number(item + 2, wide) + b"\1" + number(first, size)
        return box(b"iprp", kept + full(b"ipma", number(3, 4) + uses, wide == 4, long))

    lies = iloc(item, 2, (4, 4, 0, 0), START)
    for index in (first + 2, first + 2 | essential):
        assert code_points(still(associated(0, 1, first + 1, index), lies, item=item, wide=wide)) == PQ
    assert code_points(still(associated(first), lies, item=item, wide=wide)) == OTHER
    elsewhere = iloc(item + 3, 2, (4, 4, 0, 0), START)
    assert code_points(still(associated(first), elsewhere, item=item + 3, wide=wide)) == PQ, "by its stream"
    with pytest.raises(IndexError):
        code_points(still(associated(first + 4), lies, item=item, wide=wide))


def calls(data: bytes) -> int:
    """How many functions and steps of generators its code points take; what the garbage collector calls aside."""
    profile, ours = cProfile.Profile(), code_points.__code__.co_filename
    profile.runcall(code_points, data)
    return sum(entry.callcount for entry in profile.getstats() if getattr(entry.code, "co_filename", None) == ours)


def test_properties_and_associations_that_are_none_of_the_picture_are_passed_over() -> None:
    """A hostile file of 25 MB kept a process busy for 10 s, and took 600 MB."""

    def work(properties: int, uses: int) -> int:
        kept = box(b"ipco", box(b"free", b"") * (1 + properties))
        others = b"".join(number(owner, 2) + b"\xff" + bytes(255) for owner in range(2, 12)) * uses
        again = (number(1, 2) + b"\xff" + bytes(255)) * uses
        lists = full(b"ipma", number(11 * uses + 1, 4) + others + number(1, 2) + b"\1\1" + again)
        return calls(still(iloc(1, 0, (4, 4, 0, 0), START), box(b"iprp", kept + lists)))

    assert work(0, 100) < 5 * 10 * 100 + work(0, 0)
    assert work(40_000, 0) == work(50_000, 0)


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
    assert code_points(moving(track(), b"1234567")) == PQ
    for broken in (large(b"free", b"", 15), struct.pack(">I4s", 7, b"free"), struct.pack(">I4s", 999, b"free")):
        with pytest.raises(ValueError, match="outside"):
            code_points(file(broken, full(b"meta", inside)))


def test_a_box_of_colours_that_breaks_off() -> None:
    with pytest.raises(struct.error):
        code_points(moving(track(box(b"colr", b"nclx\0\1"))))


ONE = full(b"stco", number(1, 4) + number(START, 4))


def handler(kind: bytes) -> bytes:
    return full(b"hdlr", bytes(4) + kind + bytes(13))


def opaque(*of: int) -> bytes:
    return box(b"tref", b"".join(box(b"auxl", number(one, 4)) for one in of))


def track(
    colours: bytes = b"", before: bytes = b"", chunks: bytes = ONE, kind: bytes = b"av01", said: bytes | None = None
) -> bytes:
    entry = full(b"stsd", number(1, 4) + box(kind, bytes(78) + colours))
    media = (handler(b"pict") if said is None else said) + box(b"minf", box(b"stbl", entry + chunks))
    return box(b"trak", before + box(b"mdia", media))


def moving(*tracks: bytes, brand: bytes = b"avis", stream: bytes = STREAM) -> bytes:
    return file(box(b"moov", b"".join(tracks)), brand=brand, stream=stream)


def test_what_moves_says_it_in_its_track_or_its_stream() -> None:
    assert code_points(moving(track(box(b"colr", b"prof") + colr(*OTHER)))) == OTHER
    assert code_points(moving(track())) == PQ
    places = full(b"co64", number(1, 4) + number(START, 8))
    assert code_points(moving(track(chunks=places))) == PQ
    assert code_points(moving(track(chunks=full(b"stco", number(0, 4)) + places))) == PQ


def test_tracks_without_pictures_say_nothing() -> None:
    """Sound, text, and such as have no chunk: animations with them were refused, which browsers show."""
    none = full(b"stco", number(0, 4))
    for other in (
        track(colr(*OTHER), kind=b"mp4a", said=handler(b"soun")), track(colr(*OTHER), chunks=none),
        track(colr(*OTHER), chunks=b""), box(b"trak", b""), box(b"trak", box(b"mdia", handler(b"text"))),
    ):  # fmt: skip
        assert code_points(moving(other, track())) == code_points(moving(track(), other)) == PQ


def test_a_track_of_opacity_says_nothing() -> None:
    """It may come first, and its stream say anything."""
    for of in ((1,), (0, 1)):
        assert code_points(moving(track(colr(*OTHER), opaque(*of)), track())) == PQ


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
    two = box(b"mdia", handler(b"vide") + box(b"minf", box(b"stbl", entries + ONE)))
    assert code_points(moving(box(b"trak", two))) == PQ, "of several entries the first is shown"


LIES = full(b"meta", inner(iloc(1, 0, (4, 4, 0, 0), START)))


@pytest.mark.parametrize("said", [b"", handler(b"soun"), handler(b"PICT"), handler(b"pict") + handler(b"hint")])
def test_a_track_that_chromium_passes_over_is_refused(said: bytes) -> None:
    """Pillow would decode it: the network saw another picture than people do."""
    other = track(said=said)
    for tracks in ((other, track()), (track(), other)):
        with pytest.raises(ValueError, match="not every program"):
            check_tracks(moving(*tracks))
        with pytest.raises(ValueError, match="not every program"):
            code_points(moving(*tracks))
        check_tracks(moving(*tracks, brand=b"avif"))
    for of in (opaque(0), opaque(1, 0), box(b"tref", box(b"auxl", number(0, 4) + b"\1\0\0\0"))):
        with pytest.raises(ValueError, match="not every program"):
            check_tracks(moving(track(before=of), track()))
    check_tracks(moving(track(said=handler(b"vide")), track(before=opaque(1))))


def test_the_brand_says_whether_it_moves() -> None:
    tracks = box(b"moov", track(colr(*OTHER)))
    assert code_points(file(LIES, tracks)) == PQ and code_points(file(LIES, tracks, brand=b"avis")) == OTHER


def test_another_brand_leaves_it_open() -> None:
    """What comes first is shown then, or the tracks: both say the same, or the file is refused."""
    for brand in (b"mif1", b"msf1"):
        assert code_points(file(LIES, brand=brand)) == code_points(moving(track(colr(*PQ)), brand=brand)) == PQ
        assert code_points(file(LIES, box(b"moov", track()), brand=brand)) == PQ
        with pytest.raises(ValueError, match="several"):
            code_points(file(LIES, box(b"moov", track(colr(*OTHER))), brand=brand))


def test_what_comes_after_the_picture_is_not_read() -> None:
    for brand, shown in ((b"avis", box(b"moov", track())), (b"mif1", LIES)):
        assert code_points(file(shown, b"what is no box", brand=brand)) == PQ
    assert code_points(file(box(b"moov", track()), box(b"moov", track(colr(*OTHER))), brand=b"avis")) == PQ


def test_what_is_said_to_move_and_has_no_track_is_still() -> None:
    assert code_points(file(LIES, brand=b"avis")) == PQ
