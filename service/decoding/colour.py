"""Colours as a browser shows them: what a file says of its colours, and its pixels in sRGB.

Profiles near sRGB, those of phones and cameras among them, change nothing (:mod:`service.decoding.profiles`). Any other
may show people a picture of which its bare samples have nothing.
"""

import contextlib
import io
import struct
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image, ImageCms

from service.decoding.avif import code_points
from service.decoding.containers import jpeg_profile, png_chunks
from service.decoding.depth import DEEP_MODES
from service.decoding.profiles import BrokenProfileError, Floats, Matrix, columns_of, for_engine, negligible

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_MODES = {b"GRAY": "L", b"RGB ": "RGB", b"CMYK": "CMYK"}
_GREY = ("1", "L", "LA", "La", *DEEP_MODES)
# as Pillow has it
_MAX_PROFILE = 1_048_576
_LEVELS = np.linspace(0, 1, 256)
_BT709 = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
# code points of ITU-T H.273 that differ from those of sRGB
_PRIMARIES = {
    4: (0.31, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (0.3127, 0.329, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06),
    6: (0.3127, 0.329, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    7: (0.3127, 0.329, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (0.3127, 0.329, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    10: (1 / 3, 1 / 3, 1.0, 1e-6, 0.0, 1.0, 0.0, 1e-6),
    11: (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    12: (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
# as Chromium 156 draws it; 1 is the white of a page, 203 cd/m2
_TONES = ([0, 1, 1.6, 1.87, 2.3, 3.23, 4.93], [0, 0.5, 0.67, 0.72, 0.78, 0.89, 1])


def profile_of(image: Image.Image, data: bytes) -> bytes | None:
    """The ICC profile that ``image``, read from ``data`` and not yet converted, is to be shown by; None: as it is.

    What a PNG or an AVIF says in other words becomes a profile. Of two sayings browsers take the first that they can
    read.
    """
    for profile in _said(image, data):
        with contextlib.suppress(BrokenProfileError):
            meant = for_engine(profile)
            return meant if _go_together(profile[16:20], image.mode) else None
    return None


def _said(image: Image.Image, data: bytes) -> Iterator[bytes]:
    if image.format == "PNG":
        yield from _said_by_png(png_chunks(data))
        return
    profile = jpeg_profile(data) if image.format in ("JPEG", "MPO") else image.info.get("icc_profile")
    if isinstance(profile, bytes):
        if not negligible(profile):
            yield profile
    elif image.format == "AVIF" and (points := code_points(data)) is not None:
        yield from _by_code_points(*points)


def in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """``image``, without transparency, with the colours of ``profile`` in sRGB; as it is if the engine refuses that."""
    image = image.convert(_MODES[profile[16:20]])
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        # as browsers: black is not moved to where the other black is
        transform = ImageCms.buildTransform(source, _SRGB, image.mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
        return ImageCms.applyTransform(image, transform) or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _go_together(space: bytes, mode: str) -> bool:
    if space == b"GRAY":
        return mode in _GREY
    return space in _MODES and (space == b"CMYK") == (mode == "CMYK")


def _said_by_png(chunks: Mapping[bytes, bytes]) -> Iterator[bytes]:
    primaries, transfer, matrix, full = (*chunks.get(b"cICP", b""), *bytes(4))[:4]
    if (matrix, full) == (0, 1):
        yield from _by_code_points(primaries, transfer)
    with contextlib.suppress(zlib.error):
        yield zlib.decompressobj().decompress(chunks.get(b"iCCP", b"").partition(b"\0")[2][1:], _MAX_PROFILE)
    gamma, chromaticities = chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b"")
    if b"sRGB" in chunks or len(gamma) != 4 or gamma == bytes(4):
        return
    known = len(chromaticities) == 32
    given = tuple(value / 100_000 for value in struct.unpack(">8I", chromaticities)) if known else _BT709
    yield from _made(given, _LEVELS ** (100_000 / int.from_bytes(gamma)))


def _by_code_points(primaries: int, transfer: int) -> Iterator[bytes]:
    yield from _made(_PRIMARIES.get(primaries, _BT709), _linear(transfer))


def _linear(transfer: int) -> Floats:
    """Linear light, 0 to 1, of ``_LEVELS`` by a code point of H.273; of an unknown one as sRGB has it."""
    if transfer in _GAMMAS:
        return _LEVELS ** _GAMMAS[transfer]
    if transfer == 16:
        root = _LEVELS ** (32 / 2_523)
        nits = 10_000 * ((root - 0.8359375).clip(0) / (18.8515625 - 18.6875 * root)) ** (16_384 / 2_610)
        return _toned(nits)
    if transfer == 18:
        scene = np.where(
            _LEVELS <= 0.5, _LEVELS**2 / 3, (np.exp((_LEVELS - 0.55991073) / 0.17883277) + 0.28466892) / 12
        )
        return _toned(1_000 * scene**1.2)
    return np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4)


def _toned(nits: Floats) -> Floats:
    """High dynamic range on an ordinary screen: white at half, and what is brighter in the upper half."""
    return np.interp(nits / 203, *_TONES)


def _made(primaries: tuple[float, ...], linear: Floats) -> Iterator[bytes]:
    with contextlib.suppress(ValueError, ZeroDivisionError, OverflowError, struct.error):
        yield Matrix(columns_of(primaries), np.stack([linear] * 3)).profile()
