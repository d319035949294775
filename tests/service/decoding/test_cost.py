"""The bounds of what is proven cheap; what is not goes to a decoder process, see test_hostile_formats.py."""

import pytest

from service.decoding.cost import proven_cheap
from tests.conftest import encoded
from tests.service.hostile import jpeg_size, many_segments, scene

BASELINE = encoded(scene(), "JPEG")
SCAN = BASELINE.index(b"\xff\xda")
GREY_PROGRESSIVE = encoded(scene().convert("L"), "JPEG", progressive=True)
LARGE = jpeg_size(BASELINE, 5_000, 5_000)


def framed(data: bytes, kind: int) -> bytes:
    """The JPEG with another marker of its frame."""
    return data.replace(b"\xff\xc0", bytes((0xFF, kind)), 1)


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
        (BASELINE[:2] + (b"\xff\xe1\xff\xff" + bytes(65_533)) * 5 + BASELINE[2:], False),
        (BASELINE[:2] + BASELINE[SCAN:], False),
        (b"\0" + BASELINE[1:], False),
    ],
    ids=(
        "100 megapixels", "more", "16 megapixels progressive", "more of them", "extended", "lossless", "arithmetic",
        "a scan of one component", "200 segments", "320 kB of metadata", "no frame", "no JPEG",
    ),
)  # fmt: skip
def test_bounds(data: bytes, cheap: bool) -> None:
    assert proven_cheap(data) is cheap


def test_nothing_is_proven_before_the_scan_has_begun() -> None:
    assert not any(proven_cheap(BASELINE[:length]) for length in range(SCAN + 5))
