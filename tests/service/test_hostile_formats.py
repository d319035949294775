"""One hostile or odd file at a time, through the decoders as the service uses them; see docs/reliability.md."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from service.contract import Preprocessing
from service.decoding.containers import gif_frames
from service.decoding.cost import proven_cheap
from service.decoding.decoders import Bounds, Decoders
from service.errors import ErrorCode, FaunalensError
from service.imaging import FORMATS, Header, Limits, decode
from tests.conftest import encoded
from tests.service import hostile
from tests.service.hostile import PNG, chunk, flat, grey_tiff, scene, tiff

RULE = Preprocessing.model_validate({"size": 64, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)})
ZEROS = hostile.deflated_zeros(100_000_000)
HUGE_TILE = {"tile_width": 60_000, "tile_height": 60_000, "tile_offset": 300, "tile_counts": 99}
PLAIN = grey_tiff(10, 10, rows=10, offset=300, counts=100)
FLOATING_COLOUR = {258: 32, 262: 2, 277: 3, 339: 3}
BAD, TRUNCATED, BIG = ErrorCode.CORRUPT_IMAGE, ErrorCode.TRUNCATED_IMAGE, ErrorCode.TOO_MANY_PIXELS


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    """One decoder process with the service's bounds, but that of the clock: others may have the processor."""
    made = Decoders(1, Limits(), Bounds(patience=12.0))
    yield made
    made.close()


@pytest.fixture(scope="module")
def hurried() -> Iterator[Decoders]:
    """One decoder process that gets half a second for a picture."""
    made = Decoders(1, Limits(), Bounds(seconds=0.5))
    yield made
    made.close()


def refused(decoders: Decoders, data: bytes) -> ErrorCode:
    with pytest.raises(FaunalensError) as caught:
        decoders.prepare(data, RULE)
    return caught.value.code


def empty_png(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return PNG + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


REFUSED = {
    "PNG that claims 3,600 megapixels": (lambda: empty_png(60_000, 60_000), BIG),
    "PNG without pixels": (lambda: empty_png(0, 0), BAD),
    "PNG with 100 MB of zTXt": (lambda: hostile.png_with(b"zTXt", b"a\0\0" + ZEROS), BAD),
    "PNG with 100 MB of iTXt": (
        lambda: hostile.png_with(b"iTXt", b"a\0\1\0\0\0" + ZEROS), BAD,
    ),
    "PNG with 100 MB of iCCP": (lambda: hostile.png_with(b"iCCP", b"a\0\0" + ZEROS), BAD),
    "PNG with 100 texts of 1 MB": (
        lambda: hostile.png_with(b"zTXt", b"a\0\0" + hostile.deflated_zeros(1_000_000), 100), BAD,
    ),
    "JPEG that claims 4,225 megapixels": (lambda: hostile.jpeg_size(encoded(scene(), "JPEG"), 65_000, 65_000), BIG),
    "GIF whose frame exceeds its screen": (lambda: hostile.gif((1, 1), (60_000, 60_000)), BIG),
    "GIF of 1.2 million frames": (lambda: hostile.gif((1, 1), (1, 1), 1_200_000), ErrorCode.TOO_MANY_FRAMES),
    "TIFF tile larger than its picture": (
        lambda: tiff(grey_tiff(10, 10, **HUGE_TILE), bytes(500)),
        TRUNCATED,
    ),
    "TIFF with a JPEG tile of 3,600 megapixels": (
        lambda: tiff(
            grey_tiff(10, 10, compression=7, **HUGE_TILE),
            bytes(500),
        ),
        BAD,
    ),
    "TIFF of 160,000 pages": (
        lambda: tiff(grey_tiff(10, 10, offset=8, counts=100, rows=10), chain=160_000), ErrorCode.TOO_MANY_FRAMES,
    ),
    "TIFF strip that claims too much": (
        lambda: tiff(grey_tiff(100, 100, compression=8, rows=7_000, offset=200, counts=60_000), bytes(500)), BAD,
    ),
    "TIFF that claims 3,600 megapixels": (
        lambda: tiff(grey_tiff(60_000, 60_000, offset=200, counts=100, rows=60_000), bytes(500)), BIG,
    ),
    "BMP that claims 4,900 megapixels": (lambda: hostile.bmp_rle(70_000, 70_000, 1), BIG),
    "WebP canvas of 256 megapixels": (lambda: hostile.webp_canvas(16_000, 16_000), BIG),
    "AVIF that claims 400 megapixels": (lambda: hostile.avif_size(encoded(scene(), "AVIF"), 20_000, 20_000), BAD),
    "AVIF grid that claims 1,600 megapixels": (
        lambda: hostile.avif_grid(scene(64, 64), 2, 2, (40_000, 40_000)), BAD,
    ),
    "JPEG of 12 bits": (lambda: hostile.jpeg_bits(encoded(scene(), "JPEG"), 12), BAD),
    "TIFF in JPEG 2000": (lambda: tiff(PLAIN | {259: 34_712}, bytes(500)), BAD),
    "TIFF in JPEG XL": (lambda: tiff(PLAIN | {259: 50_002}, bytes(500)), BAD),
    "TIFF in LERC": (lambda: tiff(PLAIN | {259: 34_887}, bytes(500)), BAD),
    "TIFF of floating point in colour": (lambda: tiff(PLAIN | FLOATING_COLOUR, bytes(2_000)), BAD),
    "BMP whose first byte is red": (lambda: hostile.bmp_masks(0xFF, 0xFF00, 0xFF0000), BAD),
    "PDF with a JPEG inside": (lambda: b"%PDF-1.4\n" + encoded(scene(), "JPEG"), ErrorCode.UNSUPPORTED_FORMAT),
    "SVG": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", ErrorCode.UNSUPPORTED_FORMAT),
    "HEIC": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), ErrorCode.UNSUPPORTED_FORMAT),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, decoders: Decoders) -> None:
    make, code = REFUSED[name]
    assert refused(decoders, make()) is code


SLOW = {
    "progressive JPEG of 5,000 scans": lambda: hostile.many_scans(4_000, 3_000, 5_000),
    "JPEG of 4.9 million segments": lambda: hostile.many_segments(4_900_000),
    "PNG of 1.2 million texts": lambda: hostile.png_with(b"tEXt", b"a\0b", 1_200_000),
    "BMP of 9.5 million runs": lambda: hostile.bmp_rle(7_000, 7_000, 1_357),
}


@pytest.mark.parametrize("name", SLOW)
def test_too_slow(name: str, hurried: Decoders) -> None:
    data = SLOW[name]()
    assert not proven_cheap(data)
    assert refused(hurried, data) is ErrorCode.DECODE_DEADLINE


def with_exif(data: bytes) -> bytes:
    exif = b"Exif\0\0MM\0*" + b"\xff" * 60_000
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


def with_zip(data: bytes) -> bytes:
    buffer = BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("evil.html", "<script>alert(1)</script>")
    return buffer.getvalue()


ANSWERED = {
    "JPEG that is also a ZIP": (lambda: with_zip(encoded(scene(), "JPEG")), ("JPEG", 64, 48, 1)),
    "PNG with HTML behind it": (lambda: encoded(scene(), "PNG") + b"<script>", ("PNG", 64, 48, 1)),
    "GIF with JavaScript in a comment": (
        lambda: encoded(scene(), "GIF", comment=b"*/=1;alert(1)//"), ("GIF", 64, 48, 1),
    ),
    "JPEG with 60 kB of broken EXIF": (lambda: with_exif(encoded(scene(), "JPEG")), ("JPEG", 64, 48, 1)),
    "PNG with broken EXIF": (lambda: hostile.png_with(b"eXIf", b"MM\0*" + b"\xff" * 5_000), ("PNG", 64, 48, 1)),
    "multi-picture JPEG": (lambda: hostile.mpo(scene(), flat(64, 48)), ("JPEG", 64, 48, 2)),
    "animated WebP": (
        lambda: encoded(scene(), "WEBP", save_all=True, append_images=[flat(64, 48, "RGB")]), ("WEBP", 64, 48, 2),
    ),
    "animated AVIF": (
        lambda: encoded(scene(), "AVIF", save_all=True, append_images=[flat(64, 48, "RGB")]), ("AVIF", 64, 48, 2),
    ),
    "animated PNG": (
        lambda: encoded(scene(), "PNG", save_all=True, append_images=[flat(64, 48, "RGB")]), ("PNG", 64, 48, 2),
    ),
    "TIFF of two pages": (
        lambda: encoded(scene(), "TIFF", save_all=True, append_images=[flat(64, 48, "RGB")]), ("TIFF", 64, 48, 2),
    ),
    "TIFF whose pages form a loop": (
        lambda: tiff(grey_tiff(10, 10, offset=8, counts=100, rows=10), bytes(100), 3, True), ("TIFF", 10, 10, 3),
    ),
    "GIF screen beyond its frame": (lambda: hostile.gif((3_000, 3_000), (1, 1)), ("GIF", 3_000, 3_000, 1)),
    "JPEG with a broken ICC profile": (
        lambda: encoded(scene(), "JPEG", icc_profile=b"no profile" * 9_000), ("JPEG", 64, 48, 1),
    ),
    "BMP in run lengths": (lambda: hostile.bmp_rle(64, 48, 48), ("BMP", 64, 48, 1)),
    "PNG of 36 megapixels from 40 kB": (lambda: encoded(flat(6_000, 6_000), "PNG"), ("PNG", 6_000, 6_000, 1)),
}  # fmt: skip


def facts(header: Header) -> tuple[str, int, int, int]:
    return header.format, header.width, header.height, header.frames


@pytest.mark.parametrize("name", ANSWERED)
def test_answered(name: str, decoders: Decoders) -> None:
    make, expected = ANSWERED[name]
    header, pixels = decoders.prepare(make(), RULE)
    assert facts(header) == expected and not header.truncated
    assert pixels.shape == (64, 64, 3)


def test_the_first_picture_of_several_is_judged(decoders: Decoders) -> None:
    dark = flat(64, 48, "RGB")
    for kind in ("WEBP", "AVIF", "PNG", "TIFF", "GIF"):
        _, one = decoders.prepare(encoded(scene(), kind), RULE)
        _, first = decoders.prepare(encoded(scene(), kind, save_all=True, append_images=[dark]), RULE)
        assert np.abs(one.astype(int) - first.astype(int)).mean() < 4, kind


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated(kind: str, share: float, decoders: Decoders) -> None:
    whole = encoded(scene(300, 200), kind, **({"interlace": 0} if kind == "GIF" else {}))
    data = whole[: int(len(whole) * share)]
    assert refused(decoders, data) is TRUNCATED
    if kind in ("WEBP", "AVIF"):
        with pytest.raises(FaunalensError) as caught:
            decoders.prepare(data, RULE, tolerate_truncated=True)
        assert caught.value.code is TRUNCATED
    else:
        header, pixels = decoders.prepare(data, RULE, tolerate_truncated=True)
        _, full = decoders.prepare(whole, RULE)
        rows = int(64 * share) - 8
        there = slice(-rows, None) if kind == "BMP" else slice(rows)
        assert header.truncated and np.abs(pixels[there].astype(int) - full[there].astype(int)).mean() < 12
        assert refused(decoders, data) is TRUNCATED, "tolerance is for one call"


def test_ycck_has_its_colours() -> None:
    got = np.asarray(decode(hostile.ycck(scene()), Limits()).rgb).astype(int)
    assert np.abs(got - np.asarray(scene())).mean() < 4


@pytest.mark.parametrize("mode", ["1", "P", "L", "LA", "PA", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = Image.new("L", (8, 8), 255)
    deep = {"I;16": np.full((8, 8), 65_535, np.uint16), "I": np.full((8, 8), 65_535, np.int32)}
    deep["F"] = np.full((8, 8), 255, np.float32)
    if mode in deep:
        made = Image.fromarray(deep[mode])
    elif mode == "LAB":
        made = Image.merge("LAB", [image, Image.new("L", (8, 8), 128), Image.new("L", (8, 8), 128)])
    else:
        made = (image.convert("LA") if mode == "PA" else image.convert("RGB")).convert(mode)
    kind = "PNG" if mode in ("P", "PA", "LA", "RGBA", "1") else "TIFF"
    picture = decode(encoded(made if mode != "PA" else made.convert("P"), kind), Limits())
    assert picture.rgb.mode == "RGB" and min(picture.rgb.getpixel((4, 4))) > 250


def test_sixteen_bit_colour(decoders: Decoders) -> None:
    row = b"\0" + struct.pack(">HHH", 0xFFFF, 0x8000, 0) * 8
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
    data = PNG + header + chunk(b"IDAT", zlib.compress(row * 8)) + chunk(b"IEND", b"")
    assert decoders.prepare(data, RULE)[1][32, 32].tolist() == [255, 128, 0]


def test_frames_of_a_gif_are_counted_up_to_the_limit() -> None:
    data = hostile.gif((4, 4), (4, 4), 7)
    assert gif_frames(data, 100) == 7 and gif_frames(data, 3) == 4 and gif_frames(data[:19], 100) == 0


def test_what_is_proven_cheap() -> None:
    jpeg = encoded(scene(), "JPEG")
    assert proven_cheap(jpeg) and proven_cheap(encoded(scene(), "JPEG", progressive=True))
    assert all(proven_cheap(encoded(scene().convert(mode), "JPEG")) for mode in ("L", "CMYK"))
    assert not proven_cheap(hostile.many_scans(1_000, 1_000, 200))
    assert not proven_cheap(hostile.jpeg_size(encoded(scene(), "JPEG", progressive=True), 5_000, 5_000))
    assert not proven_cheap(hostile.many_segments(300))
    assert not proven_cheap(jpeg[:100]) and not proven_cheap(b"\xff\xd8\xff")
    assert not proven_cheap(jpeg[:2] + b"\0" + jpeg[2:])
    assert not any(proven_cheap(encoded(scene(), kind)) for kind in FORMATS if kind != "JPEG")
    frame = jpeg[jpeg.index(b"\xff\xc0") : jpeg.index(b"\xff\xc4")]
    assert not proven_cheap(jpeg.replace(frame, frame + frame)), "two frame headers: which one would be decoded?"


def test_an_avif_grid_is_one_picture(decoders: Decoders) -> None:
    tile = scene(128, 96)
    data = hostile.avif_grid(tile, 2, 3)
    header, _ = decoders.prepare(data, RULE)
    assert (header.format, header.width, header.height, header.frames) == ("AVIF", 384, 192, 1)
    expected = np.tile(np.asarray(tile).astype(int), (2, 3, 1))
    assert np.abs(np.asarray(decoders.view(data, 384)).astype(int) - expected).mean() < 6


def test_an_avif_grid_of_100_megapixels_is_refused_by_its_header(decoders: Decoders) -> None:
    assert refused(decoders, hostile.avif_grid(flat(1_024, 1_024, "RGB"), 10, 10)) is BIG
