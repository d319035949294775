"""Bytes to pixels: the only place where a picture is opened, checked, decoded, oriented and resized.

Formats are allowed by content, limits are checked on the header before a pixel is decoded, transparency is composited
on white, EXIF orientation is applied, deeper pictures are scaled (not clipped) to 8 bits, colours far from sRGB are
turned into it.
Limits follow the practice of imgproxy (50 megapixels, header first) and Pillow's security handbook (``formats=``
allow-list, bomb warnings as errors).
"""

import hashlib
import io
import logging
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from service.contract import Preprocessing
from service.decoding.bitmaps import read_palette
from service.decoding.colour import in_srgb, profile_of
from service.decoding.containers import breaks_off
from service.decoding.depth import DEEP_MODES, read_deep_planes, to_8_bits, with_sign
from service.decoding.frames import DECODER_ERRORS, count_frames, first_of_animation, heed_opacity
from service.decoding.orientation import orientation_of, upright
from service.decoding.twofold import check_palette, check_structure
from service.errors import ErrorCode, FaunalensError

warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\..*")
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

# at level debug it would write what a camera wrote into a picture
logging.getLogger("PIL").setLevel(logging.WARNING)

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP", "TIFF")
ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".avif", ".bmp", ".tif", ".tiff")
MAX_VIEW_SIDE = 2048
_BACKGROUND = (255, 255, 255)
_PILLOWS_PIXELS = 89_478_485


@dataclass(frozen=True, slots=True)
class Limits:
    """What a picture may cost: bytes as received, pixels and frames as its header declares."""

    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    max_frames: int = 1_000


@dataclass(frozen=True, slots=True)
class Header:
    """What is known before decoding. ``width`` and ``height`` are pixels after orientation; ``truncated``: a picture
    that breaks off was decoded as far as it goes, because that was asked for."""

    sha256: str
    format: str
    width: int
    height: int
    frames: int
    orientation: int
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """The first frame as an upright RGB image, possibly decoded at a reduced scale."""

    header: Header
    rgb: Image.Image


def sniff(data: bytes) -> str | None:
    """The allowed format that ``data`` starts like, or None."""
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[4:8] == b"ftyp" and (data[8:12] in (b"avif", b"avis") or b"avif" in data[16:64]):
        return "AVIF"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    return "BMP" if data[:2] == b"BM" else None


def decode(data: bytes, limits: Limits, least: int | None = None) -> Picture:
    """Decode the first frame of ``data``.

    ``least``: JPEGs may be decoded at a smaller DCT scale as long as both sides keep at least this many pixels; None
    decodes at full size. Raises :class:`FaunalensError` with ``empty_image``, ``unsupported_format``,
    ``corrupt_image``, ``truncated_image``, ``too_many_bytes``, ``too_many_pixels``, ``too_many_frames`` or, for want
    of memory, ``decoder_stopped``.
    """
    check_bytes(data, limits)
    kind = sniff(data)
    if kind is None:
        raise FaunalensError(
            ErrorCode.UNSUPPORTED_FORMAT,
            f"The file is not one of the supported formats ({', '.join(FORMATS)}); its content decides, not its name.",
        )
    # global, as ours are: Pillow's limit would stand above a larger one, and is there before a WebP has its canvas
    Image.MAX_IMAGE_PIXELS = max(_PILLOWS_PIXELS, limits.max_pixels)
    try:
        with Image.open(io.BytesIO(data), formats=(kind,)) as image:
            header = _read_header(image, data, kind, limits)
            check_structure(data, kind)
            if least is not None:
                image.draft(None, (least, least))
            rgb = _to_rgb(image, data)
            # Pillow turns a TIFF itself, and says its size as turned
            return Picture(header, rgb if kind == "TIFF" else upright(rgb, header.orientation))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(limits) from error
    except MemoryError as error:
        message = f"The {kind} needs more memory than a decoder may take."
        raise FaunalensError(ErrorCode.DECODER_STOPPED, message) from error
    except DECODER_ERRORS as error:
        raise _decoding_failed(error, data, kind) from error


def to_pixels(rgb: Image.Image, rule: Preprocessing) -> NDArray[np.uint8]:
    """Resize an RGB image by the contract's rule to uint8 ``[size, size, 3]``."""
    resized = rgb.resize((rule.size, rule.size), Image.Resampling.BILINEAR, reducing_gap=rule.reducing_gap)
    return np.asarray(resized)


def prepare(data: bytes, limits: Limits, rule: Preprocessing) -> tuple[Header, NDArray[np.uint8]]:
    """Bytes to ``(header, pixels uint8 [size, size, 3])`` by the contract's rule; raises what :func:`decode` does."""
    picture = decode(data, limits, rule.size if rule.scaled_decoding else None)
    return picture.header, to_pixels(picture.rgb, rule)


def view(data: bytes, limits: Limits, side: int) -> Picture:
    """A picture to look at, no side over ``side`` pixels (at most ``MAX_VIEW_SIDE``); raises as :func:`decode` does."""
    picture = decode(data, limits, side)
    picture.rgb.thumbnail((side, side), Image.Resampling.BILINEAR)
    return picture


def check_bytes(data: bytes, limits: Limits) -> None:
    """Raise ``empty_image`` or ``too_many_bytes``."""
    if not data:
        raise FaunalensError(ErrorCode.EMPTY_IMAGE, "The image has no bytes.")
    if len(data) > limits.max_bytes:
        raise FaunalensError(
            ErrorCode.TOO_MANY_BYTES,
            f"The image has more than {limits.max_bytes} bytes.",
            {"bytes": len(data), "max_bytes": limits.max_bytes},
        )


def _too_many_pixels(limits: Limits) -> FaunalensError:
    return FaunalensError(
        ErrorCode.TOO_MANY_PIXELS,
        f"The image has more than {limits.max_pixels} pixels.",
        {"max_pixels": limits.max_pixels},
    )


def _decoding_failed(error: BaseException, data: bytes, kind: str) -> FaunalensError:
    text = str(error).lower()
    if "truncated" in text or isinstance(error, EOFError) or breaks_off(data, kind):
        return FaunalensError(ErrorCode.TRUNCATED_IMAGE, f"The {kind} ends before its picture does.")
    return FaunalensError(ErrorCode.CORRUPT_IMAGE, f"The {kind} cannot be decoded.")


def _read_header(image: Image.Image, data: bytes, kind: str, limits: Limits) -> Header:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise _too_many_pixels(limits)
    frames = count_frames(image, data, limits.max_frames)
    if frames > limits.max_frames:
        raise FaunalensError(
            ErrorCode.TOO_MANY_FRAMES,
            f"The image has more than {limits.max_frames} frames.",
            {"frames": frames, "max_frames": limits.max_frames},
        )
    orientation = _orientation(image, data)
    if orientation >= 5 and kind != "TIFF":
        width, height = height, width
    return Header(hashlib.sha256(data).hexdigest(), kind, width, height, frames, orientation)


def _orientation(image: Image.Image, data: bytes) -> int:
    """EXIF orientation 1..8; unreadable metadata counts as upright."""
    try:
        return orientation_of(image, data)
    except DECODER_ERRORS:
        return 1


def _to_rgb(image: ImageFile.ImageFile, data: bytes) -> Image.Image:
    profile = profile_of(image, data)
    heed_opacity(image, data)
    if getattr(image, "default_image", False):
        first = first_of_animation(image)
        check_palette(image, data)
        return _on_background(first, profile)
    read_deep_planes(image)
    read_palette(image, data)
    # of a GIF, the part of its screen that the first frame covers
    frame = image.tile[0].extents if image.format == "GIF" and image.tile else None
    image.load()
    check_palette(image, data)
    rgb = _on_background(image, profile)
    if frame in (None, (0, 0, *image.size)):
        return rgb
    canvas = Image.new("RGB", image.size, _BACKGROUND)
    canvas.paste(rgb.crop(frame), frame)
    return canvas


def _on_background(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode in DEEP_MODES:
        image = to_8_bits(image)
    image = with_sign(image)
    if image.mode == "La":
        # Pillow takes it no further in one step
        image = image.convert("LA")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        opacity = rgba.getchannel("A")
        if image.format == "BMP" and opacity.getbbox() is None:
            # many programs leave the fourth byte empty
            return rgba.convert("RGB")
        if profile is not None:
            rgba = in_srgb(rgba, profile).convert("RGB")
        canvas = Image.new("RGB", image.size, _BACKGROUND)
        canvas.paste(rgba, mask=opacity)
        return canvas
    if profile is not None:
        image = in_srgb(image, profile)
    return image if image.mode == "RGB" else image.convert("RGB")
