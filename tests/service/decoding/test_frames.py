import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from service.errors import ErrorCode, FaunalensError
from service.imaging import Limits, decode
from tests.conftest import encoded
from tests.service import hostile
from tests.service.odd import ihdr, png_of, rows


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA"])
def test_of_an_apng_the_animation_is_judged_and_not_what_others_are_shown(mode: str) -> None:
    """Browsers show what moves; the picture that was put beside it is for programs that know no APNG."""
    frames = [Image.new("RGB", (8, 8), colour).convert(mode) for colour in ((0, 0, 0), (250, 250, 250), (99, 99, 99))]
    data = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=True)
    picture = decode(data, Limits())
    assert picture.header.frames == 3 and min(picture.rgb.getpixel((4, 4))) >= 250


def test_an_apng_whose_animation_is_broken_is_refused() -> None:
    """It showed its own picture, which browsers do not."""
    red, black = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("RGB", (8, 8))
    data = encoded(red, "PNG", save_all=True, append_images=[black, red], default_image=True)
    end = data.index(b"fcTL") - 4
    with pytest.raises(FaunalensError) as caught:
        decode(data[:end] + hostile.chunk(b"IEND", b""), Limits())
    assert caught.value.code in (ErrorCode.CORRUPT_IMAGE, ErrorCode.TRUNCATED_IMAGE)


@pytest.mark.parametrize(("bits", "levels"), [(2, [0, 255, 170, 255]), (4, [0, 255, 34, 51]), (8, [0, 255, 2, 3])])
def test_the_clear_level_of_a_png_is_one_of_its_own_bits(bits: int, levels: list[int]) -> None:
    row = sum(level << 8 * ((4 * bits + 7) // 8) - bits * (at + 1) for at, level in enumerate(range(4)))
    data = png_of(ihdr(4, 1, bits, 0), (b"tRNS", b"\0\1"), (b"IDAT", rows([row.to_bytes((4 * bits + 7) // 8)])))
    assert np.asarray(decode(data, Limits()).rgb)[0, :, 0].tolist() == levels


def test_the_clear_colour_of_a_png_in_16_bits_is_clear_and_no_other() -> None:
    """Pillow looked for the lower half of its levels."""
    levels = [0x1250, 0x3400, 0x5600], [0x5050, 0, 0], [0x1250, 0x3400, 0x5601 + 0x100]
    row = struct.pack(">9H", *(level for pixel in levels for level in pixel))
    clear = struct.pack(">3H", *levels[0])
    data = png_of(ihdr(3, 1, 16, 2), (b"tRNS", clear), (b"IDAT", rows([row])))
    shown = np.asarray(decode(data, Limits()).rgb)[0].tolist()
    assert shown == [[255, 255, 255], [0x50, 0, 0], [0x12, 0x34, 0x57]]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_first_frame_of_an_apng_that_is_smaller_lies_on_white(mode: str) -> None:
    black, red = Image.new("RGB", (8, 8)).convert(mode), Image.new("RGB", (8, 8), (255, 0, 0)).convert(mode)
    data = bytearray(encoded(black, "PNG", save_all=True, append_images=[red, black], default_image=True))
    control = data.index(b"fcTL")
    fields = struct.pack(">4I", 2, 2, 3, 3)
    data[control + 8 : control + 24] = fields
    data[control + 30 : control + 34] = struct.pack(">I", zlib.crc32(data[control : control + 30]))
    rows = Image.new("RGB", (2, 2), (255, 0, 0)).convert(mode)
    start, following = data.index(b"fdAT"), data.index(b"fcTL", control + 4) - 4
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in np.asarray(rows)))
    sequence = bytes(data[start + 4 : start + 8])
    data[start - 4 : following] = hostile.chunk(b"fdAT", sequence + pixels)
    rgb = decode(bytes(data), Limits()).rgb
    assert [rgb.getpixel(at) for at in ((0, 0), (3, 3), (7, 7))] == [(255, 255, 255), (255, 0, 0), (255, 255, 255)]


@pytest.mark.parametrize("flags", [0x02, 0x12])
def test_what_is_clear_in_an_animated_webp_is_white_whatever_its_header_says(flags: int) -> None:
    frames = [Image.new("RGBA", (8, 8), (40, 40, 40, 0)), Image.new("RGBA", (8, 8), (9, 9, 9, 255))]
    data = bytearray(encoded(frames[0], "WEBP", lossless=True, exact=True, save_all=True, append_images=frames[1:]))
    data[20] = data[20] & ~0x12 | flags
    picture = decode(bytes(data), Limits())
    assert picture.header.frames == 2 and picture.rgb.getpixel((4, 4)) == (255, 255, 255)
