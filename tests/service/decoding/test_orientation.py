import struct

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from service.imaging import Limits, decode
from tests.conftest import encoded
from tests.service.hostile import chunk, scene

XMP = b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="%d"/>'
KINDS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")
EXIF = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)


def with_xmp(kind: str, value: int, exif: int | None = None) -> bytes:
    text = XMP % value
    directory = Image.Exif()
    if exif:
        directory[0x0112] = exif
    if kind == "PNG":
        words = PngImagePlugin.PngInfo()
        words.add_itxt("XML:com.adobe.xmp", text.decode())
        return encoded(scene(), kind, pnginfo=words, exif=directory)
    if kind == "TIFF":
        return encoded(scene(), kind, tiffinfo={700: text, **directory})
    data = encoded(scene(), kind, xmp=text, exif=directory)
    assert text in data
    return data


def facts(data: bytes) -> tuple[int, tuple[int, int], tuple[int, int]]:
    picture = decode(data, Limits())
    return picture.header.orientation, (picture.header.width, picture.header.height), picture.rgb.size


@pytest.mark.parametrize("kind", KINDS)
def test_xmp_turns_nothing(kind: str) -> None:
    assert facts(with_xmp(kind, 6)) == (1, (64, 48), (64, 48))


@pytest.mark.parametrize("kind", KINDS)
def test_exif_turns_whatever_xmp_says_but_no_webp(kind: str) -> None:
    expected = (1, (64, 48), (64, 48)) if kind == "WEBP" else (8, (48, 64), (48, 64))
    assert facts(with_xmp(kind, 3, exif=8)) == expected


def test_texts_of_a_png_turn_nothing() -> None:
    words = PngImagePlugin.PngInfo()
    words.add_text("Raw profile type exif", f"\nexif\n{len(EXIF) + 6:8}\n" + (b"Exif\0\0" + EXIF).hex() + "\n")
    data = encoded(scene(), "PNG", pnginfo=words)
    assert facts(data) == (1, (64, 48), (64, 48))
    assert np.array_equal(np.asarray(decode(data, Limits()).rgb), np.asarray(scene()))


def test_exif_after_the_pixels_of_a_png_does_not_count() -> None:
    data = encoded(scene(), "PNG")
    end = data.rindex(b"IEND") - 4
    assert facts(data[:33] + chunk(b"eXIf", EXIF) + data[33:]) == (6, (48, 64), (48, 64))
    assert facts(data[:end] + chunk(b"eXIf", EXIF) + data[end:]) == (1, (64, 48), (64, 48))


def directory(*entries: tuple[int, int, int, int], start: int = 8, magic: bytes = b"MM\0*") -> bytes:
    """EXIF of these entries: tag, type, count and a short value."""
    body = b"".join(struct.pack(">HHIHH", *entry, 0) for entry in entries)
    return magic + struct.pack(">I", start) + bytes(start - 8) + struct.pack(">H", len(entries)) + body


TURNED, OTHER = (0x0112, 3, 1, 6), (0x0100, 3, 1, 8)
# what Chromium 156 turns by
READ = {
    "one": (directory(TURNED), 6), "little end first": (EXIF, 6), "nothing": (b"", 1), "rubbish": (b"what", 1),
    "behind another": (directory(OTHER, TURNED), 6), "further on": (directory(TURNED, start=21), 6),
    "the first of two": (directory((0x0112, 3, 1, 3), TURNED), 3), "the highest": (directory((0x0112, 3, 1, 8)), 8),
    "nine, then six": (directory((0x0112, 3, 1, 9), TURNED), 6),
    "none, then six": (directory((0x0112, 3, 1, 0), TURNED), 6),
    "a long number": (directory((0x0112, 4, 1, 6)), 1), "with a sign": (directory((0x0112, 8, 1, 6)), 1),
    "two numbers": (directory((0x0112, 3, 2, 6)), 1), "no number": (directory((0x0112, 3, 0, 6)), 1),
    "another magic": (directory(TURNED, magic=b"MM\0+"), 1), "beyond its end": (directory(TURNED)[:7], 1),
    "an entry that breaks off": (directory(TURNED)[:-1], 1), "no entries": (directory(), 1),
    "an entry too few": (directory(TURNED)[:8] + b"\0\2" + directory(TURNED)[10:], 6),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("name", READ)
def test_exif_is_read_as_browsers_read_it(name: str, kind: str) -> None:
    """A photo that people see upright would be judged lying down."""
    exif, orientation = READ[name]
    data = encoded(scene(), kind)
    part = chunk(b"eXIf", exif) if kind == "PNG" else segment(b"Exif\0\0" + exif)
    at = 33 if kind == "PNG" else 2
    assert facts(data[:at] + part + data[at:])[0] == orientation


def segment(content: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content


@pytest.mark.parametrize(
    ("contents", "orientation"),
    [
        ((b"Exif\0\0" + EXIF, b"Exif\0\0" + directory((0x0112, 3, 1, 3))), 6), ((b"Exif\0x" + EXIF,), 6),
        ((b"Exif\0\0what", b"Exif\0\0" + EXIF), 1), ((b"Exif\0\0", b"Exif\0\0" + EXIF), 6), ((b"Exif" + EXIF,), 1),
    ],
)  # fmt: skip
def test_the_first_exif_of_a_jpeg_counts(contents: tuple[bytes, ...], orientation: int) -> None:
    data = encoded(scene(), "JPEG")
    assert facts(data[:2] + b"".join(map(segment, contents)) + data[2:])[0] == orientation


def test_the_first_exif_of_a_png_counts_and_has_no_name() -> None:
    data = encoded(scene(), "PNG")
    upright, turned = chunk(b"eXIf", directory((0x0112, 3, 1, 1))), chunk(b"eXIf", EXIF)
    assert facts(data[:33] + upright + turned + data[33:])[0] == 1
    assert facts(data[:33] + turned + upright + data[33:])[0] == 6
    assert facts(data[:33] + chunk(b"eXIf", b"Exif\0\0" + EXIF) + data[33:])[0] == 1


def test_xmp_after_the_pixels_of_a_png_does_not() -> None:
    data = encoded(scene(), "PNG")
    end = data.rindex(b"IEND") - 4
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP % 6)
    assert facts(data[:end] + text + data[end:]) == (1, (64, 48), (64, 48))
