"""What files say of their colours; each expectation is what Chromium draws, see test_imaging_in_browser.py."""

import struct

import numpy as np
import pytest
from PIL import Image

from service.decoding.profiles import Floats, for_engine
from service.imaging import Limits, decode
from tests.conftest import SAMPLES, encoded
from tests.service.decoding.test_profiles import (
    LEVELS,
    NEGATIVE,
    P3,
    RGB,
    SRGB,
    built,
    matrix_profile,
    table,
    with_curve,
)
from tests.service.hostile import chunk

SWAPPED = matrix_profile(RGB[:, ::-1], SRGB)
LOSSLESS = {
    "PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    "JPEG": {"quality": 100, "subsampling": 0},
}  # fmt: skip


def photo() -> Image.Image:
    return Image.open(SAMPLES / "tusk-single.jpg").convert("RGB").resize((96, 72))


def negative(image: Image.Image) -> Image.Image:
    return image.point([255 - level for level in range(256)] * len(image.getbands()))


def pixels(data: bytes) -> Floats:
    return np.asarray(decode(data, Limits()).rgb).astype(float)


def apart(data: bytes, expected: Image.Image) -> float:
    """The mean over pixels, of 255."""
    return float(np.abs(pixels(data) - np.asarray(expected.convert("RGB"))).mean())


def png(image: Image.Image, *chunks: tuple[bytes, bytes], **options: object) -> bytes:
    data = encoded(image, "PNG", **options)
    return data[:33] + b"".join(chunk(kind, content) for kind, content in chunks) + data[33:]


def gamma(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(value * 100_000))


@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_profile_does_not_hide_a_photo_from_the_network(kind: str) -> None:
    """People see a tusk; the samples alone are a negative, or blue where it is red."""
    for profile, stored in ((NEGATIVE, negative(photo())), (SWAPPED, Image.merge("RGB", photo().split()[::-1]))):
        data = encoded(stored, kind, icc_profile=profile, **LOSSLESS[kind])
        assert apart(data, photo()) < 1.5


@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_profile_near_srgb_changes_nothing(kind: str) -> None:
    plain = encoded(photo(), kind, **LOSSLESS[kind])
    for profile in (matrix_profile(P3, SRGB), matrix_profile(RGB, LEVELS**2.2), b"what is this", NEGATIVE[:150]):
        assert np.array_equal(pixels(encoded(photo(), kind, icc_profile=profile, **LOSSLESS[kind])), pixels(plain))


@pytest.mark.parametrize("mode", ["L", "P", "1"])
def test_grey_palettes_and_bits_have_profiles_too(mode: str) -> None:
    image = photo().convert(mode)
    shown = image.convert("RGB")
    assert apart(encoded(image, "PNG", icc_profile=NEGATIVE), negative(shown)) < 1
    grey = with_curve(table(SRGB[::-1]), b"GRAY")
    assert apart(encoded(image, "PNG", icc_profile=grey), shown if mode == "P" else negative(shown)) < 1


def test_a_profile_of_other_colours_than_the_picture_has_is_ignored() -> None:
    grey = with_curve(table(SRGB[::-1]), b"GRAY")
    assert apart(encoded(photo(), "PNG", icc_profile=grey), photo()) == 0
    cmyk = encoded(photo().convert("CMYK"), "JPEG")
    assert np.array_equal(pixels(encoded(photo().convert("CMYK"), "JPEG", icc_profile=NEGATIVE)), pixels(cmyk))


@pytest.mark.parametrize(("mode", "kind"), [("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "WEBP"), ("RGBA", "TIFF")])
def test_the_white_ground_of_transparency_stays_white(mode: str, kind: str) -> None:
    image = negative(photo()).convert(mode)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    shown = Image.new("RGB", image.size, "white")
    shown.paste(photo().convert("L" if mode == "LA" else "RGB").convert("RGB"), mask=image.getchannel("A"))
    assert apart(encoded(image, kind, icc_profile=NEGATIVE, **LOSSLESS[kind]), shown) < 1.5


@pytest.mark.parametrize("value", [0.1, 1.0, 2.2])
def test_gamma_of_a_png_counts(value: float) -> None:
    image = photo()
    light = (np.asarray(image) / 255.0) ** (1 / value)
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(pixels(png(image, gamma(value))) - 255 * shown).mean() < 1


def test_what_goes_before_gamma() -> None:
    image = photo()
    assert apart(png(image, gamma(0.1), (b"sRGB", b"\0")), image) == 0
    assert apart(png(negative(image), gamma(0.1), icc_profile=NEGATIVE), image) < 1
    for harmless in (0, 0.45455):
        assert apart(png(image, gamma(harmless)), image) == 0
    linear = pixels(png(image, gamma(1.0)))
    code_points = png(negative(image), (b"cICP", b"\1\x08\0\1"), icc_profile=NEGATIVE)
    assert np.abs(pixels(code_points) - pixels(png(negative(image), gamma(1.0)))).mean() < 1
    assert linear.mean() > np.asarray(image).mean() + 20


def test_primaries_of_a_png_count_beside_gamma_alone() -> None:
    swapped = (b"cHRM", struct.pack(">8I", 31_270, 32_900, 15_000, 6_000, 30_000, 60_000, 64_000, 33_000))
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    assert apart(png(red, swapped), red) == 0
    assert apart(png(red, gamma(0.45455), swapped), Image.new("RGB", (4, 4), (0, 0, 255))) < 1
    assert apart(png(photo(), gamma(0.45455), gamma(0.1)), photo()) == 0
    assert apart(png(photo(), (b"gAMA", b"\0\0\0\1\0")), photo()) == 0
    nothing = (b"cHRM", struct.pack(">8I", *[31_270, 32_900] * 4))
    assert apart(png(red, gamma(0.45455), nothing), red) == 0


@pytest.mark.parametrize(
    ("primaries", "transfer", "expected"),
    [
        (1, 13, [0, 128, 200]), (12, 13, [0, 128, 200]), (2, 2, [0, 128, 200]), (9, 13, [0, 128, 200]),
        (1, 8, [0, 188, 229]), (9, 16, [0, 133, 255]), (9, 18, [0, 100, 201]), (10, 13, [0, 128, 200]),
    ],
)  # fmt: skip
def test_code_points_of_a_png(primaries: int, transfer: int, expected: list[int]) -> None:
    greys = Image.fromarray(np.array([[[level] * 3 for level in (0, 128, 200)]], np.uint8))
    shown = pixels(png(greys, (b"cICP", bytes((primaries, transfer, 0, 1)))))
    assert np.abs(shown[0].mean(axis=1) - expected).max() <= 4


def test_sixteen_bits_of_grey_have_a_profile_too() -> None:
    deep = Image.fromarray((np.asarray(photo().convert("L")).astype(np.uint16)) * 257)
    grey = with_curve(table(SRGB[::-1]), b"GRAY")
    assert apart(encoded(deep, "PNG", icc_profile=grey), negative(photo().convert("L"))) < 1


def test_a_table_that_the_engine_refuses_is_ignored() -> None:
    rubbish = built([(b"A2B0", b"mft1\0\0\0\0what is this, and what would it show?")])
    assert for_engine(rubbish) is not None
    assert apart(encoded(photo(), "PNG", icc_profile=rubbish), photo()) == 0
