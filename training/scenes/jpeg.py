"""Taking comments out of a JPEG: Blender writes render times there, so that equal pictures differ in bytes."""

from __future__ import annotations

COMMENT, SCAN = 0xFE, 0xDA


def without_comments(data: bytes) -> bytes:
    """The JPEG `data` less its comment segments; the picture itself is untouched."""
    kept, place = bytearray(data[:2]), 2
    while data[place + 1] != SCAN:
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if data[place + 1] != COMMENT:
            kept += data[place:end]
        place = end
    return bytes(kept + data[place:])
