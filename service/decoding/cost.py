"""What a picture may cost, read from its bytes before a decoder sees them.

Only JPEG can be proven cheap: its decoder is C code that releases the GIL, its passes over the pixels can be counted,
and Pillow stops reading its header at the first scan. Pillow parses the other formats in Python loops that hold the
GIL for as long as the file likes, so they are decoded in a process of their own (:mod:`service.decoding.decoders`).
So are JPEGs with a profile that counts: the engine that reads it is C code for which nothing vouches.
"""

import struct

from service.decoding.profiles import negligible

_MAX_SEGMENTS = 256
_MAX_METADATA = 262_144
_MAX_BASELINE_PIXELS = 100_000_000
_MAX_PASSES_TIMES_PIXELS = 100_000_000
# a progressive JPEG holds every coefficient of the picture: 2 bytes a sample
_MAX_COEFFICIENT_PIXELS = 16_000_000
# Pillow reads directories of tags in Python, version 12.3 in the square of their length; cameras write shorter ones
_MAX_EXIF, _MAX_PICTURES = 65_535, 1_024
_EXIF, _PICTURES, _PROFILE = b"Exif\0\0", b"MPF\0", b"ICC_PROFILE\0"
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN = 0xDA
# with a length after them, for the decoder too; it goes on right after any other, and would read another header than we
_SEGMENTS = _FRAME_MARKERS | {0xC4, _SCAN, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE}


def proven_cheap(data: bytes) -> bool:
    """Whether ``data`` is a JPEG whose header bounds the time and memory of decoding it."""
    if data[:3] != b"\xff\xd8\xff":
        return False
    try:
        return _cheap_jpeg(data)
    except (IndexError, struct.error):
        return False


def _cheap_jpeg(data: bytes) -> bool:
    position, frame, exif = 2, None, 0
    for _ in range(_MAX_SEGMENTS):
        prefix, marker, length = struct.unpack_from(">BBH", data, position)
        if prefix != 0xFF or marker not in _SEGMENTS or length < 2 or position > _MAX_METADATA:
            return False
        if marker == _SCAN:
            return frame is not None and _cheap_scans(data, frame, position)
        if marker in _FRAME_MARKERS:
            if frame is not None:
                return False
            frame = position
        # Pillow joins several
        exif += length * data.startswith(_EXIF, position + 4)
        if exif > _MAX_EXIF or (length > _MAX_PICTURES and data.startswith(_PICTURES, position + 4)):
            return False
        if data.startswith(_PROFILE, position + 4) and not _plain_profile(data[position + 16 : position + 2 + length]):
            return False
        position += 2 + length
    return False


def _plain_profile(part: bytes) -> bool:
    """Whether a profile, its number and the number of its parts before it, is whole and may be ignored."""
    return part[:2] == b"\1\1" and negligible(part[2:])


def _cheap_scans(data: bytes, frame: int, scan: int) -> bool:
    height, width, components = struct.unpack_from(">HHB", data, frame + 5)
    kind = data[frame + 1]
    pixels: int = width * height
    if kind in (_BASELINE, _EXTENDED) and data[scan + 4] == components:
        # libjpeg stops after a scan that holds every component
        return pixels <= _MAX_BASELINE_PIXELS
    # an upper bound: entropy-coded data never holds this marker, metadata may
    passes = data.count(b"\xff\xda", scan)
    cheap = pixels <= _MAX_COEFFICIENT_PIXELS and pixels * passes <= _MAX_PASSES_TIMES_PIXELS
    return cheap and kind in (_BASELINE, _EXTENDED, _PROGRESSIVE)
