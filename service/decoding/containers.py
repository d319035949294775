"""What a file's own structure says, without decoding it: how many frames a GIF has, whether a file breaks off."""

import struct
from collections.abc import Callable

_PNG_SIGNATURE = 8


def gif_frames(data: bytes, most: int) -> int:
    """Frames of a GIF, counted up to ``most`` + 1; a GIF that breaks off counts what came before."""
    position = 13 + _colour_table(data, 10)
    frames = 0
    while position < len(data) and frames <= most:
        kind = data[position]
        if kind == 0x2C:
            frames += 1
            position += 10 + _colour_table(data, position + 9) + 1
        elif kind == 0x21:
            position += 2
        else:
            break
        while position < len(data) and data[position]:
            position += data[position] + 1
        position += 1
    return frames


def breaks_off(data: bytes, kind: str) -> bool:
    """Whether the container of ``data`` claims more bytes than there are; False where ``kind`` has none that tells."""
    check = _CHECKS.get(kind)
    try:
        return check is not None and check(data)
    except (struct.error, IndexError):
        return True


def _colour_table(data: bytes, position: int) -> int:
    flags = data[position] if position < len(data) else 0
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _png(data: bytes) -> bool:
    position = _PNG_SIGNATURE
    while (kind := data[position + 4 : position + 8]) != b"IEND":
        if len(kind) == 4 and not kind.isalpha():
            return False
        position += 12 + int(struct.unpack_from(">I", data, position)[0])
    return False


def _webp(data: bytes) -> bool:
    return bool(8 + struct.unpack_from("<I", data, 4)[0] > len(data))


def _avif(data: bytes) -> bool:
    position = 0
    while position + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, position)
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, position + 8)
        if size < 8:
            return False
        position += size
    return position > len(data)


def _tiff(data: bytes) -> bool:
    order = "<" if data[:2] == b"II" else ">"
    big = b"+" in data[2:4]
    (offset,) = struct.unpack_from(f"{order}Q", data, 8) if big else struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, offset)
    return bool(offset + (8 + 20 * entries if big else 2 + 12 * entries) > len(data))


_CHECKS: dict[str, Callable[[bytes], bool]] = {"PNG": _png, "WEBP": _webp, "AVIF": _avif, "TIFF": _tiff}
