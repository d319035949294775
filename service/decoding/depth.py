"""Samples of more than 8 bits: what Pillow would clip, or read as something else, becomes 8 bits here.

PNG has 16-bit grey. TIFF has more: 12, 16 and 32 bits, floating point, white as zero, and planes one after the other.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import II, TiffImageFile

DEEP_MODES = ("I;16", "I;16B", "I", "F")
_BITS, _PHOTOMETRIC, _PLANES, _FORMAT = 258, 262, 284, 339
_WHITE_IS_ZERO, _SEPARATE, _UNSIGNED, _SIGNED = 0, 2, 1, 2


def read_deep_planes(image: ImageFile.ImageFile) -> None:
    """Before ``image`` is loaded: have 16-bit planes of a TIFF read as such; Pillow takes their bytes for pixels.

    Those of CMYK and of colours multiplied by their opacity then raise ``ValueError`` when loaded.
    """
    if not isinstance(image, TiffImageFile) or image.tag_v2.get(_PLANES) != _SEPARATE or _bits(image.tag_v2) != 16:
        return
    samples = ";16L" if image.tag_v2.prefix == II else ";16B"
    for number, (codec, extents, offset, args) in enumerate(image.tile):
        if codec == "raw" and isinstance(args, tuple):
            image.tile[number] = ImageFile._Tile(codec, extents, offset, (args[0] + samples, *args[1:]))


def to_8_bits(image: Image.Image) -> Image.Image:
    """Scale a loaded grey picture of one of ``DEEP_MODES`` to mode ``L``; what a PNG calls transparent becomes white.

    Floating point is taken as 0 to 1 where nothing is above 1, else as 0 to 255.
    """
    values = np.asarray(image)
    if "transparency" in image.info:
        values = np.where(values == image.info["transparency"], 65_535, values)
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {_BITS: (16,)}
    grey = _from_float(values) if image.mode == "F" else _from_integers(values, tags)
    return Image.fromarray(255 - grey if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else grey)


def with_sign(image: Image.Image) -> Image.Image:
    """``image`` itself, but of a TIFF in grey, 8 bits with a sign, its levels: Pillow takes them to have none."""
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    if image.mode != "L" or tags.get(_FORMAT, (_UNSIGNED,))[0] != _SIGNED:
        return image
    return Image.fromarray(_without_sign(np.asarray(image).view(np.int8), 8))


def _without_sign(values: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Half the range where nothing is below 0, else all of it."""
    low = 0 if values.min() >= 0 else -(1 << bits - 1)
    span = bits - 1 if low == 0 else bits
    return (((values.astype(np.int32) - low) << 8) >> span).astype(np.uint8)


def _from_integers(values: NDArray[Any], tags: Mapping[int, Any]) -> NDArray[np.uint8]:
    if _bits(tags) == 12:
        return (values >> 4).astype(np.uint8)
    kind = tags.get(_FORMAT, (_UNSIGNED,))[0]
    if _bits(tags) == 16 and kind == _SIGNED:
        return _without_sign(values, 16)
    if _bits(tags) == 32 and kind == _UNSIGNED:
        return (values.view(np.uint32) >> 24).astype(np.uint8)
    return (values.clip(0, 65_535) >> 8).astype(np.uint8)


def _from_float(values: NDArray[Any]) -> NDArray[np.uint8]:
    values = np.nan_to_num(values).clip(0, 255)
    return (values * (255 if values.max() <= 1 else 1)).astype(np.uint8)


def _bits(tags: Mapping[int, Any]) -> int:
    return int(tags.get(_BITS, (1,))[0])
