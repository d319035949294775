"""BMP: each file that is refused Chromium 156 shows otherwise than Pillow."""

import struct

import numpy as np
import pytest

from service.decoding.bitmaps import check_bitmap
from service.errors import ErrorCode, FaunalensError
from service.imaging import Limits, decode
from tests.conftest import encoded
from tests.service.hostile import bmp_rle, flat
from tests.service.odd import bmp

FOUR = bytes([9, 9, 9, 0, 80, 70, 60, 0, 1, 2, 3, 0, 200, 200, 200, 0])
BLACK_AND_WHITE = b"\0\0\0\0\xff\xff\xff\0"
RED, GREEN, BLUE, OPACITY = 0x7C00, 0x3E0, 0x1F, 0x8000
ROW = bytes([0, 1, 2, 3])


def refused(data: bytes) -> bool:
    try:
        decode(data, Limits())
    except FaunalensError as error:
        assert error.code is ErrorCode.CORRUPT_IMAGE
        return True
    return False


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_what_encoders_write_is_read(mode: str) -> None:
    assert not refused(encoded(flat(5, 4, mode), "BMP"))


def test_pixels_lie_behind_the_palette() -> None:
    assert not refused(bmp(8, ROW, 4, palette=FOUR, colours=4))
    assert not refused(bmp(8, ROW, 4, palette=FOUR, colours=4, gap=bytes(3)))
    assert not refused(bmp(8, ROW, 4, palette=FOUR * 64))
    for start in (0, 53, 54, 54 + 15):
        assert refused(bmp(8, ROW, 4, palette=FOUR, colours=4, start=start))
    assert refused(bmp(8, ROW, 4, palette=FOUR, start=70)), "no number of colours is 256 of them"
    old = bytes(range(256)) * 3
    assert not refused(bmp(8, ROW, 4, size=12, palette=old)) and refused(bmp(8, ROW, 4, size=12, palette=old, start=26))
    assert refused(bmp(8, ROW, 4, size=12, palette=old, start=26 + 3 * 256 - 1))


def test_pixels_without_palette_lie_behind_the_header() -> None:
    assert not refused(bmp(24, bytes(12), 4)) and not refused(bmp(24, bytes(12), 4, size=12))
    assert not refused(bmp(24, bytes(12), 4, colours=5, gap=b"\1"))
    assert refused(bmp(24, bytes(12), 4, start=0)) and refused(bmp(24, bytes(12), 4, start=53))


def test_a_palette_has_no_more_colours_than_its_pixels_can_name() -> None:
    """Pillow looks for the pixels behind the palette: two pictures in one file."""
    greys = b"".join(bytes([level] * 3 + [0]) for level in range(256))
    assert not refused(bmp(8, ROW, 4, palette=greys, colours=256))
    assert refused(bmp(8, ROW, 4, palette=greys + greys, colours=512))
    assert not refused(bmp(4, ROW, 4, palette=FOUR * 4, colours=16))
    assert refused(bmp(4, ROW, 4, palette=FOUR * 5, colours=17))


def levels(data: bytes) -> list[int]:
    shown = np.asarray(decode(data, Limits()).rgb)
    assert (shown == shown[..., :1]).all()
    return [int(level) for level in shown[0, :, 0]]


def test_black_and_white_in_pixels_of_4_or_8_bits() -> None:
    """Pillow reads them as pixels of one bit."""
    assert levels(bmp(8, bytes([0, 1, 1, 2]), 4, palette=BLACK_AND_WHITE, colours=2)) == [0, 255, 255, 0]
    assert levels(bmp(4, b"\x01\x12\0\0", 4, palette=BLACK_AND_WHITE, colours=2)) == [0, 255, 255, 0]
    assert levels(bmp(8, bytes([0, 1, 0, 0]), 4, palette=bytes(4), colours=1)) == [0] * 4
    runs_of_both = b"\1\0\3\1\0\0\4\0\0\1"
    assert levels(bmp(8, runs_of_both, 4, 2, kind=1, palette=BLACK_AND_WHITE, colours=2)) == [0] * 4
    assert levels(bmp(1, b"\x60\0\0\0", 4, palette=BLACK_AND_WHITE)) == [0, 255, 255, 0]
    assert levels(bmp(1, b"\x60\0\0\0", 4, palette=BLACK_AND_WHITE, colours=2)) == [0, 255, 255, 0]
    assert refused(bmp(1, bytes(4), 4, palette=bytes(4), colours=1))


def test_greys_of_a_palette_that_ends_early() -> None:
    """Black in browsers; Pillow takes the numbers for levels."""
    greys = b"".join(bytes([level] * 3 + [0]) for level in range(256))
    assert levels(bmp(8, bytes([0, 1, 2, 200]), 4, palette=greys[:12], colours=3)) == [0, 1, 2, 0]
    assert levels(bmp(4, b"\x01\x2f\0\0", 4, palette=greys[:12], colours=3)) == [0, 1, 2, 0]
    assert levels(bmp(8, bytes([0, 1, 2, 200]), 4, palette=greys)) == [0, 1, 2, 200]
    old = bytes(level for level in range(256) for _ in range(3))
    assert levels(bmp(8, bytes([0, 9, 255, 0]), 4, size=12, palette=old)) == [0, 9, 255, 0]
    assert levels(bmp(4, b"\x01\x2f\0\0", 4, size=12, palette=old[: 3 * 16])) == [0, 1, 2, 15]


@pytest.mark.parametrize(
    ("bits", "size", "masks", "read"),
    [
        (16, 40, (RED, GREEN, BLUE), True), (16, 56, (RED, GREEN, BLUE, 0), True),
        (16, 56, (RED, GREEN, BLUE, OPACITY), False), (16, 124, (RED, GREEN, BLUE, OPACITY), False),
        (16, 52, (RED, GREEN, BLUE), True), (32, 56, (0, 0, 0, 0), False), (32, 124, (0, 0, 0, 0), False),
        (32, 56, (0xFF0000, 0xFF00, 0xFF, 0xFF000000), True), (32, 40, (0xFF0000, 0xFF00, 0xFF), True),
    ],
)  # fmt: skip
def test_masks(bits: int, size: int, masks: tuple[int, ...], read: bool) -> None:
    data = bmp(bits, b"\xff" * 16, 4, size=size, kind=3, masks=masks)
    if size == 40:
        data = bmp(bits, b"\xff" * 16, 4, kind=3, gap=struct.pack("<3I", *masks))
    assert refused(data) is not read


def runs(stream: bytes, bits: int = 8, kind: int = 1, gap: bytes = b"") -> bytes:
    return bmp(bits, stream, 4, 2, kind=kind, palette=FOUR * (64 if bits == 8 else 4), gap=gap)


@pytest.mark.parametrize(
    "stream",
    [
        b"\4\1\0\0\4\2\0\1", b"\4\1\0\0\4\2\0\0\0\1", b"\4\1\0\0\4\2\0\0", b"\0\4\1\2\3\1\0\0\1\1\3\2\0\1",
        b"\0\3\1\2\3\0\1\1\0\0\4\2\0\1",
    ],
)  # fmt: skip
def test_run_lengths_that_fill_every_row_are_read(stream: bytes) -> None:
    assert not refused(runs(stream))
    assert refused(runs(stream, gap=b"\0")), "at an odd place: Pillow skips a byte where browsers do not"


@pytest.mark.parametrize(
    "stream",
    [
        b"\3\1\0\0\4\2\0\1", b"\5\1\0\0\4\2\0\1", b"\4\1\4\2\0\1", b"\4\1\0\0\0\1", b"\4\1\0\0\3\2\0\1",
        b"\4\1\0\1\4\2",
        b"\4\1\0\2\0\1\4\2\0\1", b"\2\1\0\2\2\0\0\0\4\2\0\1", b"\2\1\0\4\1\2\3\1\0\0\4\2\0\1", b"\0\0\4\1\0\0\4\1\0\1",
    ],
)  # fmt: skip
def test_run_lengths_that_leave_out_or_go_beyond_are_not(stream: bytes) -> None:
    assert refused(runs(stream))
    with pytest.raises(ValueError, match="differ"):
        check_bitmap(runs(stream))


def test_every_row_of_run_lengths_is_looked_at() -> None:
    with pytest.raises(ValueError, match="differ"):
        check_bitmap(bmp(8, b"\4\1\0\0\3\1\0\0\4\1\0\1", 4, 3, kind=1, palette=FOUR * 64))
    with pytest.raises(ValueError, match="differ"):
        check_bitmap(runs(b"\4\1\0\0\5\2"))
    odd = b"\0\5\x12\x31\x20\0\1\1\0\1"
    assert not refused(bmp(4, odd, 6, kind=2, palette=FOUR * 4))


def test_run_lengths_of_4_bits() -> None:
    absolute = b"\0\4\x12\x31\0\0\4\x11\0\1"
    assert not refused(runs(absolute, 4, 2)) and not refused(runs(b"\0\3\x12\x30\1\x10\0\0\4\x11\0\1", 4, 2))
    for bits, kind in ((8, 2), (4, 1)):
        assert refused(runs(b"\4\1\0\0\4\2\0\1", bits, kind))


def test_what_breaks_off_is_left_to_the_decoder() -> None:
    for data in (bmp_rle(64, 48, 48), bmp(8, ROW, 4, palette=FOUR, colours=4)):
        for length in (2, 10, 17, 20, 40, len(data) - 5):
            check_bitmap(data[:length])
    picture = decode(bmp_rle(64, 48, 48), Limits())
    assert np.asarray(picture.rgb).shape == (48, 64, 3)
