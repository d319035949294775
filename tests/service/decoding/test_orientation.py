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


def test_exif_after_the_pixels_of_a_png_counts() -> None:
    data = encoded(scene(), "PNG")
    end = data.rindex(b"IEND") - 4
    assert facts(data[:end] + chunk(b"eXIf", EXIF) + data[end:]) == (6, (48, 64), (48, 64))


def test_xmp_after_the_pixels_of_a_png_does_not() -> None:
    data = encoded(scene(), "PNG")
    end = data.rindex(b"IEND") - 4
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP % 6)
    assert facts(data[:end] + text + data[end:]) == (1, (64, 48), (64, 48))
