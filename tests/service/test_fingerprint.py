import io
import itertools

import numpy as np
import pytest
from PIL import Image, ImageOps

from service.fingerprint import (
    BITS,
    NEAR,
    _inner,
    around,
    bands,
    distance,
    distances,
    fingerprint,
    fingerprints,
    mirrored,
)
from tests.conftest import SAMPLES

SIZE = 288


def hash_of(picture: Image.Image) -> int:
    value = fingerprint(np.asarray(picture.convert("RGB").resize((SIZE, SIZE))))
    assert value is not None
    return value


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in sorted(SAMPLES.glob("*.jpg"))]


def test_copies_are_near_and_others_far(pictures: list[Image.Image]) -> None:
    hashes = [hash_of(picture) for picture in pictures]
    for picture, value in zip(pictures, hashes, strict=True):
        buffer = io.BytesIO()
        picture.resize((200, 150)).save(buffer, "JPEG", quality=50)
        assert distance(value, hash_of(Image.open(buffer))) <= NEAR
        assert distance(mirrored(value), hash_of(ImageOps.mirror(picture))) <= 1
        assert mirrored(mirrored(value)) == value
    assert min(distance(one, other) for one, other in itertools.combinations(hashes, 2)) > NEAR


def test_a_plain_border_is_left_out_and_a_small_thing_on_plain_ground_is_not() -> None:
    noise = np.random.default_rng(3).integers(0, 255, (20, 20, 3), dtype=np.uint8)
    inside = np.asarray(Image.fromarray(noise).resize((220, 220), Image.Resampling.BICUBIC))
    bordered = np.full((SIZE, SIZE, 3), 250, dtype=np.uint8)
    bordered[30:250, 40:260] = inside
    whole, inner, *_ = fingerprints(bordered)
    alone = fingerprint(inside)
    assert alone is not None and distance(inner, alone) <= 2 and whole == fingerprint(bordered)
    small = np.full((SIZE, SIZE, 3), 250, dtype=np.uint8)
    small[100:160, 100:160] = inside[:60, :60]
    assert fingerprints(small)[0] == fingerprint(small) and len(fingerprints(small)) <= 3


def bordered(*marks: tuple[slice, slice], value: int = 100) -> np.ndarray:
    """A pale square with darker marks, uint8 ``[SIZE, SIZE, 3]``."""
    pixels = np.full((SIZE, SIZE, 3), 250, dtype=np.uint8)
    for mark in marks:
        pixels[mark] = value
    return pixels


@pytest.mark.parametrize(
    ("pixels", "inner"),
    [
        (bordered((slice(30, 250), slice(40, 261))), (slice(30, 250), slice(40, 261))),
        (bordered((slice(30, 250), slice(40, 261)), value=225), (slice(30, 250), slice(40, 261))),
        (bordered((slice(30, 250), slice(40, 261)), value=226), (slice(None), slice(None))),
        # lines that few pixels of the thing reach belong to it
        (
            bordered((slice(30, 250), slice(100, 107)), (slice(140, 147), slice(10, 270))),
            (slice(30, 250), slice(10, 270)),
        ),
        (bordered((slice(30, 250), slice(40, 261)), (slice(0, 1), slice(0, 5))), (slice(30, 250), slice(40, 261))),
        # a border at three sides
        (bordered((slice(30, 288), slice(9, 279))), (slice(30, 288), slice(9, 279))),
        # less than half of a side would be left
        (bordered((slice(20, 280), slice(80, 224))), (slice(20, 280), slice(80, 224))),
        (bordered((slice(20, 280), slice(80, 223))), (slice(None), slice(None))),
        (bordered((slice(80, 223), slice(20, 280))), (slice(None), slice(None))),
    ],
)
def test_which_border_is_left_out(pixels: np.ndarray, inner: tuple[slice, slice]) -> None:
    assert np.array_equal(_inner(pixels), pixels[inner])


def test_the_parts_of_a_photo_are_its_whole_and_two_centres() -> None:
    noise = np.random.default_rng(4).integers(0, 255, (12, 12, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(noise).resize((SIZE, 200), Image.Resampling.BICUBIC))
    parts = (pixels, pixels[6:-6, 8:-8], pixels[12:-12, 17:-17])
    assert fingerprints(pixels) == tuple(dict.fromkeys(fingerprint(part) for part in parts))
    assert len(fingerprints(pixels)) == 3


def test_a_faint_picture_has_one() -> None:
    pixels = np.full((SIZE, SIZE, 3), 100, dtype=np.uint8)
    pixels[:, SIZE // 2 :] = 101
    assert fingerprint(pixels) is not None


def test_one_colour_has_none() -> None:
    assert fingerprints(np.full((SIZE, SIZE, 3), 200, dtype=np.uint8)) == ()
    assert fingerprint(np.full((SIZE, SIZE, 3), 200, dtype=np.uint8)) is None


def test_many_are_compared_as_one_is() -> None:
    known = [0, 1, 2**64 - 1, 0x0123456789ABCDEF]
    for value in known:
        expected = [distance(value, other) for other in known]
        assert distances(np.array(known, dtype=np.uint64), value).tolist() == expected


def test_whatever_bits_differ_a_piece_leads_there() -> None:
    random = np.random.default_rng(1)
    for _ in range(2000):
        value = int(random.integers(0, 2**63))
        other = value
        for bit in random.choice(BITS, NEAR, replace=False):
            other ^= 1 << int(bit)
        assert distance(value, other) == NEAR
        assert any(piece in around(own) for piece, own in zip(bands(other), bands(value), strict=True))
