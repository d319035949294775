"""PNG, palettes, tracks: of each file here Chromium 156 shows people another picture than Pillow would the network."""

import numpy as np
import pytest
from PIL import Image

from service.errors import ErrorCode, FaunalensError
from service.imaging import Limits, decode
from tests.conftest import encoded
from tests.service.decoding.test_colour import NEGATIVE
from tests.service.hostile import gif
from tests.service.odd import Chunk, animation, control, frame, ihdr, png_of, rows, track_of, tracked

DARK, LIGHT = rows([[0, 0], [0, 0]]), rows([[250, 250], [250, 250]])
GREY, PALETTE, PIXELS = ihdr(2, 2, 8, 0), (b"PLTE", b"\x10\x20\x30\x40\x50\x60"), (b"IDAT", rows([[0, 1], [1, 0]]))
INDEXED, CLEAR, OPAQUE = ihdr(2, 2, 8, 3), (b"tRNS", b"\0\0"), (b"tRNS", b"\xff\xff")
MOVING = (control(0, 2, 2), frame(1, LIGHT))


def refusal(data: bytes) -> ErrorCode:
    with pytest.raises(FaunalensError) as caught:
        decode(data, Limits())
    return caught.value.code


def test_what_is_in_order_is_read() -> None:
    sound = png_of(INDEXED, PALETTE, CLEAR, PIXELS)
    assert np.asarray(decode(sound, Limits()).rgb).min() == 255
    moving = png_of(GREY, animation(), (b"IDAT", DARK), (b"tEXt", b"a\0b"), *MOVING)
    assert np.asarray(decode(moving, Limits()).rgb).min() == 250


@pytest.mark.parametrize(
    "chunks",
    [
        (INDEXED, PALETTE, OPAQUE, CLEAR, PIXELS), (INDEXED, CLEAR, PALETTE, PIXELS),
        (INDEXED, PALETTE, PIXELS, CLEAR), (INDEXED, PALETTE, (b"PLTE", b"\xff" * 6), PIXELS),
        (INDEXED, PALETTE, PIXELS, PALETTE), (INDEXED, PIXELS, PALETTE), (INDEXED, GREY, PALETTE, PIXELS),
        (INDEXED, PIXELS),
    ],
)  # fmt: skip
def test_colours_in_the_wrong_place_are_refused(chunks: tuple[Chunk, ...]) -> None:
    assert refusal(png_of(*chunks)) is ErrorCode.CORRUPT_IMAGE


@pytest.mark.parametrize(
    "chunks",
    [
        (animation(), animation(), (b"IDAT", DARK), *MOVING), ((b"acTL", bytes([0, 0, 0, 1] * 3)), (b"IDAT", DARK)),
        (animation(2), (b"IDAT", DARK), control(0, 2, 2), control(1, 2, 2), frame(2, LIGHT)),
        (animation(), (b"IDAT", DARK), control(1, 2, 2), frame(2, LIGHT)),
        (animation(), (b"IDAT", DARK), control(0, 2, 2), frame(2, LIGHT)),
        (animation(), (b"IDAT", DARK), control(0, 2, 2, 1), frame(1, LIGHT)),
        (animation(), (b"IDAT", DARK), control(0, 2, 2), frame(1, b"what")),
    ],
)  # fmt: skip
def test_a_broken_animation_is_refused(chunks: tuple[Chunk, ...]) -> None:
    """Some programs show its own picture, some the frame, some nothing."""
    assert refusal(png_of(GREY, *chunks)) is ErrorCode.CORRUPT_IMAGE


def test_an_animation_that_breaks_off_says_so() -> None:
    whole = png_of(GREY, animation(), (b"IDAT", DARK), *MOVING)
    assert refusal(whole[: whole.index(b"fdAT") + 8]) is ErrorCode.TRUNCATED_IMAGE


def test_pixels_of_a_png_without_a_colour_are_refused() -> None:
    last, beyond = (png_of(INDEXED, PALETTE, (b"IDAT", rows([[0, 1], [1, most]]))) for most in (1, 2))
    assert np.asarray(decode(last, Limits()).rgb)[1, 1].tolist() == [0x40, 0x50, 0x60]
    assert refusal(beyond) is ErrorCode.CORRUPT_IMAGE


def test_animations_have_the_same_colours_and_no_others() -> None:
    beyond = frame(1, rows([[0, 1], [1, 2]]))
    assert refusal(png_of(INDEXED, animation(), PALETTE, PIXELS, control(0, 2, 2), beyond)) is ErrorCode.CORRUPT_IMAGE
    shades, clear = (b"IDAT", rows([b"\x1b"])), (b"tRNS", b"\0\1")
    data = png_of(ihdr(4, 1, 2, 0), animation(), clear, shades, control(0, 4, 1), frame(1, rows([b"\x1b"])))
    assert np.asarray(decode(data, Limits()).rgb)[0, :, 0].tolist() == [0, 255, 170, 255]


def grey_gif(colours: int, local: int = 0, red: int = 0) -> bytes:
    """One row of the levels 0 to 3, with so many greys in its tables; ``red``: how much more they have of it."""
    image = Image.frombytes("P", (4, 1), bytes(range(4)))
    image.putpalette([level for level in range(256) for _ in range(3)])
    data = encoded(image, "GIF", optimize=False)
    start = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    assert data[start] == 0x2C

    def table(count: int) -> tuple[int, bytes]:
        return (0x80 | count.bit_length() - 2 if count else 0), bytes(
            level + more for level in range(count) for more in (red, 0, 0)
        )

    flags, everywhere = table(colours)
    own, here = table(local)
    block = data[start : start + 9] + bytes([own]) + here + data[start + 10 :]
    return data[:10] + bytes([flags]) + data[11:13] + everywhere + b"\x21\xfe\1c\0" + block


@pytest.mark.parametrize(("colours", "local"), [(4, 0), (256, 0), (2, 4), (0, 4)])
def test_greys_of_a_gif_are_read(colours: int, local: int) -> None:
    assert np.asarray(decode(grey_gif(colours, local), Limits()).rgb)[0, :, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("colours", "local"), [(2, 0), (0, 0), (4, 2)])
def test_pixels_of_a_gif_beyond_its_greys_are_refused(colours: int, local: int) -> None:
    """Black in browsers; Pillow takes the numbers for levels."""
    assert refusal(grey_gif(colours, local)) is ErrorCode.CORRUPT_IMAGE


def test_pixels_of_a_gif_beyond_other_colours_are_black() -> None:
    """In Pillow as in browsers."""
    shown = np.asarray(decode(grey_gif(2, red=90), Limits()).rgb)[0].tolist()
    assert shown == [[90, 0, 0], [91, 1, 1], [0, 0, 0], [0, 0, 0]]


def test_a_gif_without_colours_is_refused_and_one_whose_frame_breaks_off_is_not() -> None:
    assert refusal(gif((2, 2), (2, 2))[:30]) is ErrorCode.TRUNCATED_IMAGE


@pytest.mark.parametrize("profile", [b"", NEGATIVE])
def test_a_track_of_pictures_that_is_called_another_kind_is_refused(profile: bytes) -> None:
    """Pillow would take its pictures, Chromium passes over it."""
    frames = {"save_all": True, "append_images": [Image.new("RGB", (9, 9), "red")]}
    moving = encoded(Image.new("RGB", (9, 9)), "AVIF", icc_profile=profile, **frames)
    assert decode(moving, Limits()).header.frames == 2
    for kind in (b"soun", b"text"):
        assert refusal(tracked(moving, track_of(moving).replace(b"pict", kind))) is ErrorCode.CORRUPT_IMAGE
