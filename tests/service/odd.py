"""Builds PNG, BMP and AVIF as no encoder would write them, from a few pixels or around a sound picture."""

import struct
import zlib
from collections.abc import Iterable, Sequence

from tests.service.hostile import PNG, chunk

Chunk = tuple[bytes, bytes]


def ihdr(width: int, height: int, bits: int, colour: int) -> Chunk:
    """The header of a PNG."""
    return b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)


def rows(lines: Iterable[Sequence[int]]) -> bytes:
    """Rows of a PNG, compressed."""
    return zlib.compress(b"".join(b"\0" + bytes(line) for line in lines))


def png_of(*chunks: Chunk) -> bytes:
    """A PNG of these chunks and its end."""
    return PNG + b"".join(chunk(kind, content) for kind, content in (*chunks, (b"IEND", b"")))


def animation(count: int = 1) -> Chunk:
    """Says that a PNG is an animation of so many frames."""
    return b"acTL", struct.pack(">II", count, 0)


def control(number: int, width: int, height: int, left: int = 0) -> Chunk:
    """What comes before a frame of an animated PNG; ``number``: in the row of such chunks."""
    return b"fcTL", struct.pack(">5I2HBB", number, width, height, left, 0, 1, 1, 0, 0)


def frame(number: int, content: bytes) -> Chunk:
    """The pixels of a frame."""
    return b"fdAT", struct.pack(">I", number) + content


def bmp(
    bits: int, pixels: bytes, width: int, height: int = 1, *, size: int = 40, kind: int = 0, palette: bytes = b"",
    colours: int = 0, masks: Sequence[int] = (), start: int | None = None, gap: bytes = b"",
) -> bytes:  # fmt: skip
    """A BMP. ``size`` of its header; ``kind`` of compression; ``start``: where it says that its pixels begin."""
    if size == 12:
        head = struct.pack("<I4H", 12, width, height, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", size, width, height, 1, bits, kind, len(pixels), 0, 0, colours, 0)
    head = (head + struct.pack(f"<{len(masks)}I", *masks)).ljust(size, b"\0") + palette + gap
    whole = 14 + len(head)
    return b"BM" + struct.pack("<IHHI", whole + len(pixels), 0, 0, whole if start is None else start) + head + pixels


def box(kind: bytes, content: bytes) -> bytes:
    """An ISO base media box."""
    return struct.pack(">I", 8 + len(content)) + kind + content


def nclx(primaries: int, transfer: int) -> bytes:
    """The content of a ``colr`` box with code points."""
    return b"nclx" + struct.pack(">HHHB", primaries, transfer, 6, 0x80)


def retold(avif: bytes, primaries: int, transfer: int) -> bytes:
    """``avif`` with other code points in each of its boxes that has some."""
    parts = avif.split(b"nclx")
    return parts[0] + b"".join(nclx(primaries, transfer)[:8] + part[4:] for part in parts[1:])


def untold(avif: bytes) -> bytes:
    """``avif`` with its code points in boxes of no known kind, so that its stream alone says some."""
    return avif.replace(b"colrnclx", b"freenclx")


def track_of(avif: bytes) -> bytes:
    """The first track of an AVIF that moves."""
    start = avif.index(b"trak") - 4
    return avif[start : start + int.from_bytes(avif[start : start + 4])]


def tracked(avif: bytes, track: bytes) -> bytes:
    """``avif`` of Pillow, which moves, with another track before its own."""
    start, whole = avif.index(b"trak") - 4, avif.index(b"moov") - 4
    grown = bytearray(avif[:start] + track + avif[start:])
    places = [at + 12 for at in range(start, len(grown)) if grown.startswith(b"stco", at)]
    for place in (whole, *places):
        grown[place : place + 4] = (int.from_bytes(grown[place : place + 4]) + len(track)).to_bytes(4)
    return bytes(grown)


def streamed(avif: bytes, primaries: int, transfer: int) -> bytes:
    """``avif`` of Pillow, one picture, with other code points in its AV1 stream.

    It says 1, 13 and 6 or, where there is a profile, 2, 2 and 6.
    """
    stream = avif.index(b"mdat") + 4
    bits = int.from_bytes(avif[stream : stream + 40])
    shift = next(at for at in range(40 * 8 - 24) if bits >> at & 0xFFFFFF in (0x010D06, 0x020206))
    said = bits >> shift & 0xFFFFFF
    bits += ((primaries << 16 | transfer << 8 | 6) - said) << shift
    return avif[:stream] + bits.to_bytes(40) + avif[stream + 40 :]
