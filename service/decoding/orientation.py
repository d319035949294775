"""Which way is up: the EXIF orientation of a picture, and pictures turned by it.

Browsers turn by EXIF alone, and a WebP not at all. Pillow would turn by XMP and by texts of a PNG as well: programs
that turn a photo and drop its EXIF leave these behind, and so a photo that everybody sees upright would be judged lying
down.
"""

from PIL import ExifTags, Image

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation 1..8; raises whatever Pillow does on metadata that it cannot read.

    Loads a PNG, whose EXIF may come after its pixels. Takes its XMP from a TIFF, which Pillow turns by itself.
    """
    if image.format == "WEBP":
        return 1
    exif = Image.Exif()
    if image.format == "TIFF":
        image.info.pop("xmp", None)
        exif = image.getexif()
    else:
        if image.format == "PNG":
            image.load()
        exif.load(image.info.get("exif", b""))
    value = exif.get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """``image`` as its EXIF ``orientation`` says that it is to be seen."""
    return image.transpose(_TRANSPOSE[orientation]) if orientation in _TRANSPOSE else image
