"""Files that show one picture in one program and another one in the next: refused, for which of them do people see?

What stands here is forbidden by the formats, and Pillow reads it otherwise than Chromium 156 does: a photo that people
see, and the network does not. Each check raises ``ValueError``.
"""

from PIL import Image

from service.decoding.avif import check_tracks
from service.decoding.bitmaps import check_bitmap
from service.decoding.containers import each_png_chunk, gif_colours

_ONCE = (b"IHDR", b"PLTE", b"acTL")
_BEFORE_PIXELS = (b"PLTE", b"tRNS")
_ANIMATION = 8


def check_structure(data: bytes, kind: str) -> None:
    """Before ``data`` of format ``kind`` is decoded; what breaks off is left to the decoder."""
    if kind == "PNG":
        _check_png(data)
    elif kind == "BMP":
        check_bitmap(data)
    elif kind == "AVIF":
        check_tracks(data)


def check_palette(image: Image.Image, data: bytes) -> None:
    """Once ``image``, read from ``data``, is loaded: no pixel may have a colour that the file does not say.

    Black is what a GIF then shows everywhere, but Pillow takes a palette of greys for the levels themselves.
    """
    if image.format == "PNG" and image.mode == "P":
        colours = len(next((content for name, content in each_png_chunk(data) if name == b"PLTE"), b"")) // 3
    elif image.format == "GIF" and image.mode == "L":
        colours = gif_colours(data)
    else:
        return
    most = image.getextrema()[1]
    if isinstance(most, int | float) and most >= colours:
        raise ValueError("a pixel has no colour")


def _check_png(data: bytes) -> None:
    seen: set[bytes] = set()
    for name, content in each_png_chunk(data):
        twice = name in _ONCE and name in seen
        late = name in _BEFORE_PIXELS and (b"IDAT" in seen or b"tRNS" in seen)
        if twice or late or (name == b"acTL" and len(content) != _ANIMATION):
            raise ValueError("a chunk is where none may be")
        seen.add(name)
