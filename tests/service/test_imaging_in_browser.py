"""What the network sees beside what people see: pictures decoded here, and drawn by a real browser."""

import base64
import re
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from service.decoding.profiles import Floats
from service.imaging import Limits, decode
from tests.browser import chromium
from tests.conftest import encoded
from tests.service.decoding.test_colour import LOSSLESS, NEGATIVE, SWAPPED, gamma, negative, photo, png
from tests.service.decoding.test_orientation import READ, segment
from tests.service.decoding.test_profiles import CURVES, LEVELS, PROPHOTO, RGB, SRGB, matrix_profile, table, with_curve
from tests.service.hostile import chunk
from tests.service.odd import bmp, ihdr, png_of, retold, rows, streamed, track_of, tracked, untold

DRAW = """async ([data, type]) => {
    const image = new Image();
    image.src = `data:${type};base64,${data}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0);
    const { data: pixels } = context.getImageData(0, 0, canvas.width, canvas.height);
    return [canvas.height, canvas.width, Array.from(pixels)];
}"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page()


def drawn(page: Page, data: bytes, kind: str) -> Floats:
    """The picture on a white page, [height, width, 3]."""
    height, width, pixels = page.evaluate(DRAW, [base64.b64encode(data).decode(), f"image/{kind.lower()}"])
    return np.array(pixels, float).reshape(height, width, 4)[..., :3]


def turned(kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(photo(), kind, exif=exif, **LOSSLESS[kind])


PROFILES = {
    "negative": NEGATIVE, "swapped": SWAPPED, "linear": matrix_profile(RGB, LEVELS),
    "ProPhoto": matrix_profile(PROPHOTO, LEVELS**1.8), "grey": with_curve(table(SRGB[::-1]), b"GRAY"),
}  # fmt: skip
STORED = encoded(photo(), "JPEG", **LOSSLESS["JPEG"])
START, SCAN = 2, STORED.index(b"\xff\xda")


def part(number: int, count: int, content: bytes = NEGATIVE) -> bytes:
    """A segment of a JPEG with a part of a profile."""
    return b"\xff\xe2" + (16 + len(content)).to_bytes(2) + b"ICC_PROFILE\0" + bytes((number, count)) + content


def spread(at: int, *parts: bytes) -> tuple[str, bytes]:
    return "JPEG", STORED[:at] + b"".join(parts) + STORED[at:]


def profiles(*contents: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"iCCP", b"name\0\0" + zlib.compress(content)) for content in contents]


def by_curve(curve: bytes) -> tuple[str, bytes]:
    return "JPEG", encoded(photo(), "JPEG", icc_profile=with_curve(curve), **LOSSLESS["JPEG"])


def clear(mode: str) -> Image.Image:
    image = photo().convert(mode)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def webp(flags: int) -> tuple[str, bytes]:
    """A photo of which half is clear, then the whole, in an animated WebP whose header says ``flags``."""
    first, whole = photo().convert("RGBA"), photo().convert("RGBA")
    first.paste((9, 9, 9, 0), (0, 0, 48, 72))
    options = {"lossless": True, "exact": True, "save_all": True, "append_images": [whole]}
    data = bytearray(encoded(first, "WEBP", **options))
    data[20] = data[20] & ~0x12 | flags
    return "WEBP", bytes(data)


HALVES = NEGATIVE[:900], NEGATIVE[900:]
ODD = {
    "profile after the frame": spread(SCAN, part(1, 1)), "profile after the scan": spread(len(STORED) - 2, part(1, 1)),
    "parts": spread(START, part(1, 2, HALVES[0]), part(2, 2, HALVES[1])),
    "parts the other way": spread(START, part(2, 2, HALVES[1]), part(1, 2, HALVES[0])),
    "a part missing": spread(START, part(1, 2)), "a part of none": spread(START, part(0, 0)),
    "a part too many": spread(START, part(2, 1)), "a part twice": spread(START, part(1, 1), part(1, 1, SWAPPED)),
    "parts of other counts": spread(START, part(1, 2, HALVES[0]), part(2, 3, HALVES[1])),
    "rubbish before": spread(20, b"\0\xff\xff", part(1, 1)),
    **{f"curve {name}": by_curve(curve) for name, curve in CURVES.items()},
    "gamma twice": ("PNG", png(photo(), gamma(0.45455), gamma(0.2))),
    "gamma twice, the other way": ("PNG", png(photo(), gamma(0.2), gamma(0.45455))),
    "gamma too long": ("PNG", png(photo(), (b"gAMA", b"\0\0\x4e\x20\0"))),
    "profile twice": ("PNG", png(photo(), *profiles(SWAPPED, NEGATIVE))),
    "a broken profile and gamma": ("PNG", png(photo(), gamma(0.2), *profiles(SWAPPED[:-4]))),
    "code points twice": ("PNG", png(photo(), (b"cICP", b"\1\x08\0\1"), (b"cICP", b"\1\x0d\0\1"))),
    "code points of narrow range": ("PNG", png(photo(), (b"cICP", b"\1\x08\0\0"))),
    "animated WebP": webp(0x12), "animated WebP, said to be opaque": webp(0x02),
    "profile and sRGB": ("PNG", png(photo(), (b"sRGB", b"\0"), *profiles(NEGATIVE))),
}  # fmt: skip
AVIF = encoded(photo(), "AVIF", **LOSSLESS["AVIF"])
# in full range Chromium 156 draws its frames as if they were in the other
MOVING = encoded(photo(), "AVIF", **LOSSLESS["AVIF"], save_all=True, append_images=[photo()], range="limited")
OTHER = retold(track_of(MOVING), 1, 8)
PNG = encoded(photo(), "PNG")
CLEAR = bytes([18, 80, 52, 0, 86, 0])
WIDE = CLEAR + bytes([80, 80, 0, 0, 0, 0])
TWO, GREYS = b"\0\0\0\0\xff\xff\xff\0", bytes([0, 0, 0, 0, 90, 90, 90, 0, 180, 180, 180, 0])
SMALL = {
    **{
        f"PNG, a clear level of {bits} bits": ("PNG", png_of(ihdr(4, 1, bits, 0), (b"tRNS", b"\0\1"), (b"IDAT", row)))
        for bits, row in ((2, rows([b"\x1b"])), (4, rows([b"\x01\x2f"])))
    },
    "PNG, a clear colour of 16 bits": ("PNG", png_of(ihdr(2, 1, 16, 2), (b"tRNS", CLEAR), (b"IDAT", rows([WIDE])))),
    "BMP of 8 bits in black and white": ("BMP", bmp(8, bytes([0, 1, 1, 2]), 4, palette=TWO, colours=2)),
    "BMP of 4 bits in black and white": ("BMP", bmp(4, b"\x01\x12\0\0", 4, palette=TWO, colours=2)),
    "BMP of three greys": ("BMP", bmp(8, bytes([0, 1, 2, 200]), 4, palette=GREYS, colours=3)),
    "BMP in run lengths": ("BMP", bmp(8, b"\0\3\1\2\1\0\1\0\0\0\4\2\0\1", 4, 2, kind=1, palette=GREYS, colours=3)),
}  # fmt: skip
TURNED = {
    **{f"JPEG, EXIF: {name}": ("JPEG", STORED[:2] + segment(b"Exif\0\0" + exif) + STORED[2:])
       for name, (exif, _) in READ.items()},
    **{f"PNG, EXIF: {name}": ("PNG", PNG[:33] + chunk(b"eXIf", exif) + PNG[33:]) for name, (exif, _) in READ.items()},
    "PNG, EXIF after the pixels": ("PNG", PNG[:-12] + chunk(b"eXIf", READ["one"][0]) + PNG[-12:]),
}  # fmt: skip
CASES = {
    **ODD, **SMALL, **TURNED,
    **{
        f"AVIF, code points {one} and {other}": ("AVIF", retold(AVIF, one, other))
        for one, other in ((9, 13), (10, 13), (1, 8), (1, 5), (2, 2))
    },
    "AVIF, code points of its stream": ("AVIF", streamed(untold(AVIF), 1, 8)),
    "AVIF that moves": ("AVIF", MOVING),
    "AVIF that moves, of another brand": ("AVIF", MOVING.replace(b"ftypavis", b"ftypmif1")),
    **{
        f"AVIF that moves, with {name}": ("AVIF", tracked(MOVING, other))
        for name, other in (
            ("sound", OTHER.replace(b"pict", b"soun").replace(b"av01", b"mp4a")), ("a track twice", track_of(MOVING)),
            ("no chunk", re.sub(b"(?<=stco....)....", bytes(4), OTHER, flags=re.DOTALL)),
        )
    },
    "AVIF, code points before those of its stream": ("AVIF", streamed(AVIF, 1, 8)),
    **{
        f"{kind}, {name} profile": (kind, encoded(photo(), kind, icc_profile=profile, **LOSSLESS[kind]))
        for kind in ("JPEG", "PNG", "WEBP", "AVIF") for name, profile in PROFILES.items()
        if (kind, name) != ("AVIF", "grey")
    },
    **{
        f"PNG, mode {mode}, {name} profile": ("PNG", encoded(photo().convert(mode), "PNG", icc_profile=PROFILES[name]))
        for mode in ("L", "P", "1") for name in ("negative", "grey")
    },
    **{
        f"{kind}, {mode}, negative": (kind, encoded(clear(mode), kind, icc_profile=NEGATIVE, **LOSSLESS[kind]))
        for kind, mode in (("PNG", "RGBA"), ("PNG", "LA"), ("WEBP", "RGBA"))
    },
    "CMYK": ("JPEG", encoded(photo().convert("CMYK"), "JPEG", **LOSSLESS["JPEG"])),
    "CMYK, RGB profile": ("JPEG", encoded(photo().convert("CMYK"), "JPEG", icc_profile=NEGATIVE, **LOSSLESS["JPEG"])),
    **{f"PNG, gamma {value}": ("PNG", png(photo(), gamma(value))) for value in (0, 0.2, 0.45455, 1.0)},
    "PNG, gamma and sRGB": ("PNG", png(photo(), gamma(0.2), (b"sRGB", b"\0"))),
    "PNG, gamma and profile": ("PNG", png(negative(photo()), gamma(0.2), icc_profile=NEGATIVE)),
    **{
        f"PNG, code points {one} and {other}": ("PNG", png(photo(), (b"cICP", bytes((one, other, 0, 1)))))
        for one, other in ((9, 13), (10, 13), (1, 8), (1, 5), (2, 2))
    },
    **{f"{kind}, {way}": (kind, turned(kind, way)) for kind in ("JPEG", "PNG", "WEBP", "AVIF") for way in (2, 6, 8)},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_network_sees_what_people_see(name: str, page: Page) -> None:
    kind, data = CASES[name]
    ours, theirs = np.asarray(decode(data, Limits()).rgb).astype(float), drawn(page, data, kind)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).mean() < 1.5


@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_is_toned_about_as_there(transfer: int, page: Page) -> None:
    """Within what a person would not mind; bare, the greys are 37 and 18 away, the photo 33 and 19."""
    greys = Image.fromarray(np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2))
    data = png(greys, (b"cICP", bytes((9, transfer, 0, 1))))
    assert np.abs(np.asarray(decode(data, Limits()).rgb) - drawn(page, data, "PNG")).mean() < 3
    colours = retold(AVIF, 9, transfer)
    assert np.abs(np.asarray(decode(colours, Limits()).rgb) - drawn(page, colours, "AVIF")).mean() < 6
