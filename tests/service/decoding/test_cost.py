"""The bounds of what is proven cheap; what is not goes to a decoder process, see test_hostile_formats.py."""

import pytest

from service.decoding.cost import proven_cheap
from tests.conftest import encoded
from tests.service.decoding.test_profiles import RGB, SRGB, matrix_profile
from tests.service.hostile import jpeg_size, many_scans, many_segments, scene

BASELINE = encoded(scene(), "JPEG")
SCAN = BASELINE.index(b"\xff\xda")
GREY_PROGRESSIVE = encoded(scene().convert("L"), "JPEG", progressive=True)
NEAR, FAR = matrix_profile(RGB, SRGB), matrix_profile(RGB[:, ::-1], SRGB)
LARGE = jpeg_size(BASELINE, 5_000, 5_000)


def framed(data: bytes, kind: int) -> bytes:
    """The JPEG with another marker of its frame."""
    return data.replace(b"\xff\xc0", bytes((0xFF, kind)), 1)


def segment(marker: int, name: bytes, length: int) -> bytes:
    """A segment of ``length``, which counts itself."""
    return bytes((0xFF, marker)) + length.to_bytes(2) + name.ljust(length - 2, b"\0")


@pytest.mark.parametrize(
    ("data", "cheap"),
    [
        (jpeg_size(BASELINE, 10_000, 10_000), True),
        (jpeg_size(BASELINE, 10_000, 10_001), False),
        (jpeg_size(GREY_PROGRESSIVE, 4_000, 4_000), True),
        (jpeg_size(GREY_PROGRESSIVE, 4_000, 4_001), False),
        (framed(LARGE, 0xC1), True),
        (framed(BASELINE, 0xC3), False),
        (framed(BASELINE, 0xC9), False),
        (LARGE[: SCAN + 4] + b"\1" + LARGE[SCAN + 5 :], False),
        (many_segments(200), True),
        (many_segments(300), False),
        (BASELINE[:SCAN] + LARGE[LARGE.index(b"\xff\xc0") : SCAN] + BASELINE[SCAN:], False),
        (BASELINE[:2] + (b"\xff\xe1\xff\xff" + bytes(65_533)) * 5 + BASELINE[2:], False),
        (BASELINE[:2] + segment(0xE1, b"Exif\0\0", 65_535) + BASELINE[2:], True),
        (BASELINE[:2] + segment(0xE1, b"Exif\0\0", 65_535) + segment(0xE1, b"Exif\0\0", 10) + BASELINE[2:], False),
        (BASELINE[:2] + segment(0xE2, b"MPF\0", 1_024) + BASELINE[2:], True),
        (BASELINE[:2] + segment(0xE2, b"MPF\0", 1_025) + BASELINE[2:], False),
        (encoded(scene(), "JPEG", icc_profile=NEAR), True),
        (encoded(scene(), "JPEG", icc_profile=FAR), False),
        (encoded(scene(), "JPEG", icc_profile=NEAR + bytes(65_536)), False),
        (BASELINE[:2] + segment(0xE2, b"ICC_PROFILE\0\1\2" + NEAR, 4_000) + BASELINE[2:], False),
        (BASELINE[:2] + BASELINE[SCAN:], False),
        (b"\0" + BASELINE[1:], False),
    ],
    ids=(
        "100 megapixels", "more", "16 megapixels progressive", "more of them", "extended", "lossless", "arithmetic",
        "a scan of one component", "200 segments", "300 segments",
        "two frames", "320 kB of metadata", "64 kB of Exif",
        "more of it", "an index of many pictures", "a longer one",
        "a profile near sRGB", "another one", "a long one", "a part of one", "no frame", "no JPEG",
    ),
)  # fmt: skip
def test_bounds(data: bytes, cheap: bool) -> None:
    assert proven_cheap(data) is cheap


@pytest.mark.parametrize("marker", [0x00, 0x01, 0xC8, 0xD0, 0xD7, 0xD8, 0xD9, 0xDE, 0xF0, 0xFD, 0xFF])
def test_a_header_that_decoders_read_otherwise_proves_nothing(marker: int) -> None:
    """A decoder goes on right after such a marker, and finds the costly picture that would be leapt over here."""
    harmless = b"\xff\xc0\0\x11\x08\0\x08\0\x08\3" + bytes(9) + b"\xff\xda\0\x0c\3" + bytes(9)
    costly = many_scans(4_000, 3_000, 500)
    comment = b"\xff\xfe" + (2 + len(harmless)).to_bytes(2) + harmless
    assert proven_cheap(costly[:2] + harmless) and not proven_cheap(costly)
    assert not proven_cheap(costly[:2] + bytes((0xFF, marker, 0, 6)) + comment + costly[2:])


def test_nothing_is_proven_before_the_scan_has_begun() -> None:
    assert not any(proven_cheap(BASELINE[:length]) for length in range(SCAN + 5))
