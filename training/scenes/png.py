"""Taking texts out of a PNG: Blender writes date and render times there, so that equal masks differ in bytes."""

from __future__ import annotations

START = 8
TEXTS = (b"tEXt", b"zTXt", b"iTXt")


def without_texts(data: bytes) -> bytes:
    """The PNG `data` less its chunks of text; the picture itself is untouched."""
    kept, place = bytearray(data[:START]), START
    while place < len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] not in TEXTS:
            kept += data[place:end]
        place = end
    return bytes(kept)
