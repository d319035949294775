import io
import itertools

import numpy as np
import pytest
from PIL import Image, ImageOps

from service.fingerprint import BITS, NEAR, around, bands, distance, distances, fingerprint, fingerprints, mirrored
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
