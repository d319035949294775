"""Which way is up: the EXIF orientation of a picture, and pictures turned by it.

Browsers turn by EXIF alone, and a WebP not at all. Pillow would turn by XMP and by texts of a PNG as well: programs
that turn a photo and drop its EXIF leave these behind, and so a photo that everybody sees upright would be judged lying
down.
"""

import contextlib
import struct

from PIL import ExifTags, Image

from service.decoding.containers import png_chunks

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ONE_SHORT = (ExifTags.Base.Orientation, 3, 1)
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(image: Image.Image, data: bytes) -> int:
    """EXIF orientation 1..8 of ``image``, read from ``data``; raises what Pillow does on a TIFF that it cannot read.

    Takes its XMP from a TIFF, which Pillow turns by itself.
    """
    if image.format == "TIFF":
        image.info.pop("xmp", None)
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
        return value if isinstance(value, int) and 1 <= value <= 8 else 1
    if image.format == "WEBP":
        return 1
    if image.format == "PNG":
        return _said_by(png_chunks(data).get(b"eXIf", b""))
    if image.format in ("JPEG", "MPO"):
        segments = (content for name, content in getattr(image, "applist", ()) if name == "APP1")
        return _said_by(next((one[6:] for one in segments if one.startswith(b"Exif\0") and len(one) > 6), b""))
    return _said_by(image.info.get("exif", b"").removeprefix(b"Exif\0\0"))


def _said_by(exif: bytes) -> int:
    """The orientation that browsers read, who are stricter than Pillow: the first one that is one short number."""
    order = _ORDERS.get(exif[:4])
    if order is None:
        return 1
    with contextlib.suppress(struct.error):
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, number, value = struct.unpack_from(f"{order}HHIH2x", exif, at)
            if (tag, kind, number) == _ONE_SHORT and 1 <= value <= 8:
                return int(value)
    return 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """``image`` as its EXIF ``orientation`` says that it is to be seen."""
    return image.transpose(_TRANSPOSE[orientation]) if orientation in _TRANSPOSE else image
