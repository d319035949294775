"""Random damage to pictures and random multipart bodies: an answer or a typed error, never anything else.

The short run is part of the suite and always the same. The long one: ``python -m tests.fuzz.long --minutes 30``.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.decoding.containers import breaks_off, gif_frames
from service.decoding.cost import proven_cheap
from service.errors import FaunalensError
from service.imaging import FORMATS, Limits, decode
from tests.conftest import encoded
from tests.service.hostile import avif_grid, bmp_rle, mpo, scene
from tests.service.odd import bmp, untold

SMALL = Limits(max_bytes=200_000, max_pixels=250_000, max_frames=20)
SEEDS = [
    *(encoded(scene(), kind) for kind in FORMATS),
    encoded(scene(), "JPEG", progressive=True),
    encoded(scene().convert("CMYK"), "JPEG"),
    encoded(scene(), "TIFF", compression="tiff_lzw"),
    encoded(scene(), "WEBP", lossless=True),
    encoded(scene(), "GIF", save_all=True, append_images=[scene().rotate(90)]),
    mpo(scene(), scene()),
    *(encoded(scene(), kind, save_all=True, append_images=[scene().rotate(90)]) for kind in ("WEBP", "AVIF", "TIFF")),
    encoded(scene(), "PNG", save_all=True, append_images=[scene().rotate(90)], default_image=True),
    untold(encoded(scene(), "AVIF")),
    avif_grid(scene(64, 64), 2, 2),
    bmp_rle(64, 48, 48),
    bmp(4, bytes(range(64)), 16, 8, palette=bytes(64), colours=16),
    bmp(16, bytes(range(128)), 8, 8, size=56, kind=3, masks=(0x7C00, 0x3E0, 0x1F, 0)),
]
SIGNATURES = [b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\0", b"RIFF....WEBP", b"\x89PNG\r\n\x1a\n"]
edits = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=6)), max_size=8)


def damaged(data: bytes, changes: list[tuple[float, bytes]], kept: float) -> bytes:
    """``data`` with bytes replaced at relative positions, cut to a share."""
    out = bytearray(data)
    for where, new in changes:
        at = int(where * len(out))
        out[at : at + len(new)] = new
    return bytes(out[: max(1, int(kept * len(out)))])


def check(data: bytes) -> None:
    """Decode ``data`` and all that is read from its bytes; only typed errors may leave."""
    for kind in FORMATS:
        breaks_off(data, kind)
    assert 0 <= gif_frames(data, 20) <= 21
    proven_cheap(data)
    try:
        picture = decode(data, SMALL, 64)
    except FaunalensError as error:
        assert error.code.status in (413, 415, 422)
    else:
        assert picture.rgb.mode == "RGB" and picture.header.width * picture.header.height <= SMALL.max_pixels


@pytest.mark.parametrize("number", range(len(SEEDS)))
@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=edits, kept=st.sampled_from([1.0, 1.0, 0.9, 0.5, 0.1]))
def test_damaged_pictures(number: int, changes: list[tuple[float, bytes]], kept: float) -> None:
    check(damaged(SEEDS[number], changes, kept))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.sampled_from(SIGNATURES), st.binary())
def test_random_bytes_behind_a_signature(start: bytes, rest: bytes) -> None:
    check(start + rest)


def test_the_seeds_are_pictures() -> None:
    for data in SEEDS:
        assert decode(data, SMALL).rgb.load() is not None
