"""Which picture of several: how many a file has, which of them people see first, and whether it may be transparent."""

import contextlib
import struct
import zlib

from PIL import Image, ImageFile
from PIL.WebPImagePlugin import WebPImageFile

from service.decoding.containers import gif_frames

DECODER_ERRORS = (OSError, SyntaxError, ValueError, TypeError, EOFError, KeyError, IndexError, AttributeError,
                  ZeroDivisionError, OverflowError, RuntimeError, struct.error, zlib.error)  # fmt: skip
"""What Pillow raises on a picture that it cannot read."""
_ANIMATED = 0x02
# from one level of a PNG in so many bits to the next, in 8 bits
_STEPS = {2: 85, 4: 17}


def count_frames(image: Image.Image, data: bytes, most: int) -> int:
    """Frames in the file, counted up to ``most`` + 1; Pillow would read a whole GIF or TIFF for it."""
    if image.format == "GIF":
        return max(1, gif_frames(data, most))
    if image.format != "TIFF":
        return int(getattr(image, "n_frames", 1))
    frames = 1
    with contextlib.suppress(EOFError):
        while frames <= most:
            image.seek(frames)
            frames += 1
    image.seek(0)
    return frames


def first_of_animation(image: ImageFile.ImageFile) -> Image.Image:
    """The picture that an APNG begins with, loaded, where its own picture is for programs that know no APNG.

    ``image`` has ``default_image``. Raises where the animation is broken: of what people then see, programs differ.
    """
    image.load()
    # Pillow would lay the first frame on the other picture
    image.paste(0 if image.mode == "P" else "white", (0, 0, *image.size))
    image.seek(1)
    image.load()
    return image


def heed_opacity(image: ImageFile.ImageFile, data: bytes) -> None:
    """Before ``image``, read from ``data``, is loaded: have that transparent which browsers show so.

    The frames of an animated WebP: Pillow goes by the file's header, in which libwebp's own encoder leaves it out, and
    what was clear came out black. The level of a PNG in 2 or 4 bits, or its colour in 16: Pillow looks for it in 8.
    """
    if isinstance(image, WebPImageFile) and data[12:16] == b"VP8X" and data[20] & _ANIMATED:
        image.rawmode = image._mode = "RGBA"
    elif image.format == "PNG" and image.mode == "L" and "transparency" in image.info:
        image.info["transparency"] *= _STEPS.get(data[24], 1)
    elif image.format == "PNG" and image.mode == "RGB" and data[24] == 16 and "transparency" in image.info:
        image.info["transparency"] = tuple(level >> 8 for level in image.info["transparency"])
