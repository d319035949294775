"""Code points of AVIF, where they lie; what they look like is compared with a browser in test_imaging_in_browser.py."""

import numpy as np
import pytest
from PIL import Image

from service.decoding.av1 import colour_description
from service.decoding.avif import code_points
from service.errors import ErrorCode, FaunalensError
from service.imaging import Limits, decode
from tests.conftest import encoded
from tests.service.decoding.test_colour import NEGATIVE, photo
from tests.service.hostile import avif_grid, flat, scene
from tests.service.odd import box, nclx, retold, streamed, track_of, tracked, untold

PLAIN = encoded(photo(), "AVIF", quality=100, subsampling="4:4:4")
MOVING = encoded(photo(), "AVIF", save_all=True, append_images=[flat(96, 72, "RGB")])
PQ, SRGB = (9, 16), (1, 13)


def pixels(data: bytes) -> list[int]:
    return np.asarray(decode(data, Limits()).rgb).ravel().tolist()


def test_a_picture_says_its_own() -> None:
    assert code_points(PLAIN) == code_points(MOVING) == SRGB
    assert code_points(retold(PLAIN, *PQ)) == code_points(retold(MOVING, *PQ)) == PQ


def test_where_boxes_say_none_the_stream_does() -> None:
    assert code_points(streamed(untold(PLAIN), *PQ)) == PQ
    assert code_points(streamed(PLAIN, *PQ)) == SRGB, "boxes go first"
    assert code_points(untold(MOVING)) == SRGB
    assert code_points(avif_grid(scene(64, 64), 2, 2)) == SRGB
    assert code_points(streamed(avif_grid(scene(64, 64), 1, 1), *PQ)) == PQ


def test_high_dynamic_range_is_no_disguise() -> None:
    """People see the tones of a photo; the samples alone are too dark or too light for the network."""
    for points in (PQ, (9, 18), (1, 8)):
        shown, bare = decode(retold(PLAIN, *points), Limits()).rgb, decode(PLAIN, Limits()).rgb
        assert np.abs(np.asarray(shown).astype(int) - np.asarray(bare)).mean() > 15
        assert pixels(streamed(untold(PLAIN), *points)) == pixels(retold(PLAIN, *points))


def test_what_is_near_srgb_changes_nothing() -> None:
    for points in ((1, 13), (2, 2), (1, 1), (1, 6), (12, 13), (99, 99)):
        assert pixels(retold(PLAIN, *points)) == pixels(PLAIN)


def test_a_profile_goes_first() -> None:
    assert pixels(streamed(encoded(photo(), "AVIF", icc_profile=NEGATIVE), *PQ)) == pixels(
        encoded(photo(), "AVIF", icc_profile=NEGATIVE)
    )


def test_colours_of_another_item_are_not_those_of_the_picture() -> None:
    """A photo with a gain map has an item in high dynamic range that no browser shows."""
    at = PLAIN.index(b"ipma") - 4
    other = box(b"colr", nclx(*PQ))
    grown = bytearray(PLAIN[:at] + other + PLAIN[at:])
    for kind in (b"ipco", b"iprp", b"meta"):
        place = grown.index(kind) - 4
        grown[place : place + 4] = (int.from_bytes(grown[place : place + 4]) + len(other)).to_bytes(4)
    assert code_points(bytes(grown)) == SRGB


def test_tracks_that_disagree_are_refused() -> None:
    with pytest.raises(ValueError, match="several"):
        code_points(tracked(MOVING, retold(track_of(MOVING), *PQ)))


def test_sound_beside_pictures_that_move_changes_nothing() -> None:
    sound = retold(track_of(MOVING), *PQ).replace(b"pict", b"soun").replace(b"av01", b"mp4a")
    assert pixels(tracked(MOVING, sound)) == pixels(MOVING)


@pytest.mark.parametrize("name", [b"pitm", b"iloc", b"ipma", b"meta"])
def test_boxes_that_are_missing_or_break_off(name: bytes) -> None:
    bare = untold(PLAIN)
    for data in (bare.replace(name, b"free"), bare[: bare.index(name) + 7]):
        with pytest.raises(FaunalensError) as caught:
            decode(data, Limits())
        assert caught.value.code in (ErrorCode.CORRUPT_IMAGE, ErrorCode.TRUNCATED_IMAGE)


def written(*fields: tuple[int, int]) -> bytes:
    """Bits: value and count of each, filled up with ones."""
    text = "".join(f"{value:0{count}b}" for value, count in fields)
    return int(text.ljust(-(-len(text) // 8) * 8, "1"), 2).to_bytes(-(-len(text) // 8))


SIZES = [(5, 4), (4, 4), (33, 6), (17, 5)]
COLOURS = [(0, 1), (0, 1), (1, 1), (9, 8), (16, 8)]
LONG = {
    "still": [(0, 3), (1, 1), (1, 1), (8, 5), *SIZES, (0, 3), (0, 3), *COLOURS],
    "profile 1": [(1, 3), (1, 1), (1, 1), (8, 5), *SIZES, (0, 3), (0, 3), (0, 1), (1, 1), (9, 8), (16, 8)],
    "profile 0, 10 bits": [(0, 3), (1, 1), (1, 1), (8, 5), *SIZES, (0, 3), (0, 3), (1, 1), *COLOURS[1:]],
    "profile 2, 12 bits": [(2, 3), (1, 1), (1, 1), (8, 5), *SIZES, (0, 3), (0, 3), (1, 1), (1, 1), *COLOURS[1:]],
    "plain": [
        (0, 3), (0, 1), (0, 1), (0, 1), (0, 1), (0, 5), (0, 12), (8, 5), (1, 1), *SIZES, (0, 1), (0, 3), (0, 4),
        (0, 1), (0, 1), (0, 1), (0, 3), *COLOURS,
    ],
    "timed": [
        (0, 3), (0, 1), (0, 1), (1, 1), (7, 32), (9, 32), (1, 1), (1, 33), (0, 1), (0, 1), (0, 5), (0, 12), (8, 5),
        (1, 1), *SIZES, (0, 1), (0, 3), (0, 4), (0, 1), (0, 1), (0, 1), (0, 3), *COLOURS,
    ],
    "everything": [
        (0, 3), (0, 1), (0, 1), (1, 1), (7, 32), (9, 32), (1, 1), (1, 32), (5, 31), (1, 1), (9, 5), (5, 32), (3, 5),
        (4, 5), (1, 1), (1, 5), (1, 12), (9, 5), (1, 1), (1, 1), (1, 21), (1, 1), (3, 4), (2, 12), (7, 5),
        (0, 1), (0, 1), *SIZES, (1, 1), (3, 4), (2, 3), (7, 3), (15, 4), (1, 1), (0, 2), (0, 1), (1, 1), (0, 1), (1, 1),
        (5, 3), (7, 3), *COLOURS,
    ],
}  # fmt: skip


DECOY = b"\x0a\1\xff"
BEFORE = [
    b"", b"\x12\0", b"\x13\0", b"\x7a" + b"\x80" * 8, b"\x16\x08\0", b"\x7a\x85\0" + DECOY.ljust(5),
    b"\x7a\x7f" + DECOY.ljust(127), b"\x7a\x80\1" + DECOY.ljust(128), b"\x7a\x81\2" + DECOY.ljust(257),
]  # fmt: skip


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("before", BEFORE)
def test_sequence_headers(name: str, before: bytes) -> None:
    header = written(*LONG[name])
    assert colour_description(before + b"\x0a" + bytes([len(header)]) + header + b"\x32\0") == PQ
    assert colour_description(before + b"\x08" + header) == colour_description(before + b"\x09" + header) == PQ
    for length in (0, len(header) // 2, len(header) - 1):
        with pytest.raises(IndexError):
            colour_description(before + b"\x0a" + bytes([len(header)]) + header[:length])


def test_a_sequence_header_that_says_none() -> None:
    header = written(*LONG["still"][:-3], (0, 1))
    assert colour_description(b"\x0a" + bytes([len(header)]) + header) is None


def test_a_small_picture_has_a_stream_too() -> None:
    assert code_points(untold(encoded(Image.new("RGB", (1, 1)), "AVIF"))) == SRGB
    with pytest.raises(ValueError, match="missing"):
        code_points(box(b"ftyp", b"avif\0\0\0\0"))
