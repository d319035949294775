import hashlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import BmpImagePlugin, ExifTags, Image

from service.contract import Preprocessing
from service.errors import ErrorCode, FaunalensError
from service.imaging import FORMATS, Limits, decode, prepare, sniff
from tests.conftest import SAMPLES, encoded
from tests.service import hostile

LIMITS = Limits()
RULE = Preprocessing.model_validate({"size": 64, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)})


def corners() -> Image.Image:
    """Red, green / blue, white quarters, 64 x 32."""
    image = Image.new("RGB", (64, 32), (255, 255, 255))
    image.paste((255, 0, 0), (0, 0, 32, 16))
    image.paste((0, 255, 0), (32, 0, 64, 16))
    image.paste((0, 0, 255), (0, 16, 32, 32))
    return image


def refused(data: bytes, limits: Limits = LIMITS) -> ErrorCode:
    with pytest.raises(FaunalensError) as caught:
        decode(data, limits)
    return caught.value.code


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_what_a_camera_wrote_is_not_logged(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "somebody"
    with caplog.at_level("DEBUG"):
        decode(encoded(corners(), kind, exif=exif), LIMITS)
    assert "somebody" not in caplog.text


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read_by_content(kind: str) -> None:
    data = encoded(corners(), kind)
    picture = decode(data, LIMITS)
    assert sniff(data) == picture.header.format == kind
    assert picture.header.sha256 == hashlib.sha256(data).hexdigest()
    assert (picture.header.width, picture.header.height, picture.header.frames) == (64, 32, 1)
    red = picture.rgb.getpixel((8, 4))
    assert red[0] > 200 and red[1] < 60 and red[2] < 60


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG"), (b"\xff\xd8\x00\xe0", None), (b"GIF87a", "GIF"), (b"GIF90a", None),
        (b"RIFF\0\0\0\0WEBP", "WEBP"), (b"RIFF\0\0\0\0WAVE", None), (b"RIFX\0\0\0\0WEBP", None),
        (b"\0\0\0\x1cftypavif", "AVIF"), (b"\0\0\0\x1cftypavis", "AVIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "AVIF"), (b"\0\0\0\x1cftypheic\0\0\0\0mif1heic", None),
        (b"\0\0\0\x1cfreeavif", None), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"II+\0", "TIFF"),
        (b"MM\0+", "TIFF"), (b"II\0*", None), (b"BM", "BMP"), (b"", None),
    ],
)  # fmt: skip
def test_what_files_start_like(start: bytes, kind: str | None) -> None:
    assert sniff(start) == kind


@pytest.mark.parametrize("kind", ["PPM", "TGA", "ICO", "JPEG2000"])
def test_other_formats_are_unsupported(kind: str) -> None:
    assert refused(encoded(corners(), kind)) is ErrorCode.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_gives_the_same_upright_picture(orientation: int, kind: str) -> None:
    upright = corners()
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode(encoded(stored, kind, exif=exif), LIMITS)
    assert picture.header.orientation == orientation
    assert (picture.header.width, picture.header.height) == (64, 32)
    assert np.array_equal(np.asarray(picture.rgb), np.asarray(upright))


def test_metadata_that_cannot_be_read_counts_as_upright() -> None:
    assert decode(encoded(corners(), "PNG", exif=b"Exif\0\0what is this"), LIMITS).header.orientation == 1


@pytest.mark.parametrize(("type_", "value"), [(3, b"\0"), (3, b"\x09"), (2, b"6\0")])
def test_an_orientation_that_is_none_counts_as_upright(type_: int, value: bytes) -> None:
    exif = b"Exif\0\0II*\0" + struct.pack("<IHHHI4sI", 8, 1, 0x0112, type_, 4 - type_, value, 0)
    picture = decode(encoded(corners(), "PNG", exif=exif), LIMITS)
    assert (picture.header.orientation, picture.rgb.size) == (1, (64, 32))


def test_transparency_is_white() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert decode(encoded(clear, "PNG"), LIMITS).rgb.getpixel((4, 4)) == (255, 255, 255)
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert decode(encoded(half, "PNG"), LIMITS).rgb.getpixel((4, 4)) == (127, 127, 127)


def test_a_transparent_grey_of_16_bits_is_white() -> None:
    grey = Image.fromarray(np.array([[2000, 30000]], np.uint16))
    rgb = decode(encoded(grey, "PNG", transparency=2000), LIMITS).rgb
    assert [rgb.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (117, 117, 117)]


@pytest.mark.parametrize(("mode", "colour"), [("LA", (100, 128)), ("RGBA", (100, 100, 100, 128))])
def test_what_was_multiplied_by_its_opacity_lies_on_white(mode: str, colour: tuple[int, ...]) -> None:
    data = encoded(Image.new(mode, (8, 8), colour), "TIFF")
    separate, multiplied = (struct.pack("<HHIHH", 338, 3, 1, kind, 0) for kind in (2, 1))
    assert separate in data
    assert decode(data.replace(separate, multiplied), LIMITS).rgb.getpixel((4, 4)) == (227, 227, 227)


def test_palette_with_transparent_colour_is_white() -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    data = encoded(image, "PNG", transparency=1)
    assert decode(data, LIMITS).rgb.getpixel((4, 4)) == (255, 255, 255)
    assert decode(encoded(image, "PNG"), LIMITS).rgb.getpixel((4, 4)) == (10, 20, 30)
    assert decode(encoded(Image.new("PA", (8, 8)), "TIFF"), LIMITS).rgb.getpixel((4, 4)) == (255, 255, 255)


def test_a_bmp_without_any_opacity_is_opaque() -> None:
    red, white = (255, 0, 0), (255, 255, 255)
    for opacity, expected in ((b"\0\0", (red, red)), (b"\0\xff", (white, red)), (b"\xff\xff", (red, red))):
        rgb = decode(hostile.bmp_masks(0xFF0000, 0xFF00, 0xFF, 0xFF000000, opacity=opacity), LIMITS).rgb
        assert tuple(rgb.getpixel((x, 0)) for x in (0, 1)) == expected


def test_what_the_first_frame_of_a_gif_leaves_out_is_white() -> None:
    # one black pixel of a screen of 3 x 3; the first colour of its palette is black as well
    pixels = np.asarray(decode(hostile.gif((3, 3), (1, 1)), LIMITS).rgb)
    assert pixels[0, 0].tolist() == [0, 0, 0] and pixels.sum() == 8 * 3 * 255


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    values = np.full((8, 8), 0x8000, dtype=np.uint16)
    assert decode(encoded(Image.fromarray(values), "PNG"), LIMITS).rgb.getpixel((4, 4)) == (128, 128, 128)
    for image in (Image.fromarray(values), Image.new("I;16B", (8, 8), 0x8000), Image.new("I", (8, 8), 0x8000)):
        assert decode(encoded(image, "TIFF"), LIMITS).rgb.getpixel((4, 4)) == (128, 128, 128)
    beyond = Image.fromarray(np.array([[-300, 70_000]], np.int32))
    assert np.asarray(decode(encoded(beyond, "TIFF"), LIMITS).rgb)[0, :, 0].tolist() == [0, 255]


def test_cmyk_jpeg_has_its_colours() -> None:
    red, green, blue = decode(encoded(corners().convert("CMYK"), "JPEG"), LIMITS).rgb.getpixel((40, 4))
    assert green > 200 and red < 60 and blue < 60


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_animation_gives_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    lossless = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **lossless)
    picture = decode(data, Limits(max_frames=3))
    assert picture.header.frames == 3
    assert picture.rgb.getpixel((4, 4)) == (255, 0, 0)
    assert refused(data, Limits(max_frames=2)) is ErrorCode.TOO_MANY_FRAMES


def test_a_gif_that_pillow_alone_makes_out_has_one_frame() -> None:
    data = encoded(corners(), "GIF")
    frame = data.index(b",", 13 + 3 * 2 ** ((data[10] & 7) + 1))
    assert decode(data[:frame] + b"\1" + data[frame:], LIMITS).header.frames == 1


def test_the_limit_that_was_passed_is_told() -> None:
    data = encoded(corners(), "GIF", save_all=True, append_images=[Image.new("RGB", (64, 32))])
    for limits, details in (
        (Limits(max_bytes=9), {"bytes": len(data), "max_bytes": 9}),
        (Limits(max_pixels=9), {"max_pixels": 9}),
        (Limits(max_frames=1), {"frames": 2, "max_frames": 1}),
    ):
        with pytest.raises(FaunalensError) as caught:
            decode(data, limits)
        assert caught.value.details == details


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_pixels_are_refused_from_the_header_alone(side: int) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    bomb += struct.pack(">I", 4) + b"IDAT" + bytes(8)
    assert refused(bomb) is ErrorCode.TOO_MANY_PIXELS
    assert refused(encoded(corners(), "PNG"), Limits(max_pixels=64 * 32 - 1)) is ErrorCode.TOO_MANY_PIXELS
    assert decode(encoded(corners(), "PNG"), Limits(max_pixels=64 * 32)).header.width == 64


def test_a_limit_above_pillows_own_holds() -> None:
    data = bytearray(encoded(Image.new("L", (16, 16)), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 20_000, 20_000)
    assert decode(bytes(data), Limits(max_pixels=400_000_000), least=64).rgb.size == (2_500, 2_500)
    assert refused(bytes(data), Limits(max_pixels=399_999_999)) is ErrorCode.TOO_MANY_PIXELS


def test_bytes_empty_and_truncated() -> None:
    data = (SAMPLES / "tusks.jpg").read_bytes()
    assert refused(b"") is ErrorCode.EMPTY_IMAGE
    assert refused(data, Limits(max_bytes=len(data) - 1)) is ErrorCode.TOO_MANY_BYTES
    assert decode(data, Limits(max_bytes=len(data))).header.format == "JPEG"
    for whole in (data, *(encoded(corners(), kind) for kind in FORMATS)):
        assert refused(whole[: len(whole) * 2 // 3]) is ErrorCode.TRUNCATED_IMAGE
    assert refused(b"\xff\xd8\xff" + b"\0" * 50) is ErrorCode.CORRUPT_IMAGE
    assert refused(b"hello world, not a picture") is ErrorCode.UNSUPPORTED_FORMAT


def test_scaled_decoding_keeps_what_the_network_needs() -> None:
    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
    data = encoded(small.resize((1600, 1200), Image.Resampling.BICUBIC), "JPEG", quality=90)
    assert decode(data, LIMITS, least=64).rgb.size == (200, 150)
    header, scaled = prepare(data, LIMITS, RULE)
    _, full = prepare(data, LIMITS, RULE.model_copy(update={"scaled_decoding": False}))
    assert (header.width, header.height) == (1600, 1200)
    assert scaled.shape == (64, 64, 3) and scaled.dtype == np.uint8
    assert 0 < np.abs(scaled.astype(int) - full.astype(int)).mean() < 2.0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        *((error, ErrorCode.CORRUPT_IMAGE) for error in (
            OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, ZeroDivisionError,
            OverflowError, RuntimeError, struct.error, zlib.error,
        )),
        (EOFError, ErrorCode.TRUNCATED_IMAGE),
        (MemoryError, ErrorCode.DECODER_STOPPED),
    ],
)  # fmt: skip
def test_whatever_a_decoder_raises_has_a_code(
    error: type[Exception], code: ErrorCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: Image.Image) -> None:
        raise error

    monkeypatch.setattr(BmpImagePlugin.BmpImageFile, "load", load)
    assert refused(encoded(corners(), "BMP")) is code


def test_any_bytes_give_a_picture_or_a_typed_error() -> None:
    rng = np.random.default_rng(0)
    good = [encoded(corners(), kind) for kind in FORMATS]
    for round_ in range(300):
        data = bytearray(good[round_ % len(good)])
        for position in rng.integers(0, len(data), 4):
            data[position] = int(rng.integers(256))
        try:
            decode(bytes(data), LIMITS)
        except FaunalensError as error:
            assert error.code.status in (413, 415, 422)


def test_the_sample_pictures_decode() -> None:
    files = sorted(SAMPLES.glob("*.jpg"))
    assert len(files) >= 12
    for file in files:
        assert Image.open(io.BytesIO(file.read_bytes())).size == decode(file.read_bytes(), LIMITS).rgb.size
