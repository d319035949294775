"""What a file's own structure says, without decoding it: frames of a GIF, whether a file breaks off, its colours."""

import struct
from collections.abc import Callable, Iterator

_PNG_SIGNATURE = 8
_PIXELS = (b"IDAT", b"fdAT")
_HEEDED = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf")
# markers of a JPEG without a length after them, padding, and zero after what was none
_NO_SEGMENTS = (b"", b"\x00", b"\x01", b"\xff", *(bytes((marker,)) for marker in range(0xD0, 0xDA)))


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


def gif_colours(data: bytes) -> int:
    """Colours that the first frame of a GIF may have; 0 where it breaks off before, or has no table of them."""
    position = 13 + _colour_table(data, 10)
    while data[position : position + 1] == b"\x21":
        position += 2
        while position < len(data) and data[position]:
            position += data[position] + 1
        position += 1
    return (_colour_table(data, position + 9) or _colour_table(data, 10)) // 3


def breaks_off(data: bytes, kind: str) -> bool:
    """Whether the container of ``data`` claims more bytes than there are; False where ``kind`` has none that tells."""
    check = _CHECKS.get(kind)
    try:
        return check is not None and check(data)
    except (struct.error, IndexError, OverflowError):
        return True


def each_png_chunk(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk of a PNG, until it ends or breaks off; those of pixels without content."""
    position = _PNG_SIGNATURE
    while len(kind := data[position + 4 : position + 8]) == 4 and kind != b"IEND":
        size = int.from_bytes(data[position : position + 4])
        yield kind, data[position + 8 : position + 8 + size] if kind not in _PIXELS else b""
        position += 12 + size


def png_chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of colours and EXIF before the pixels of a PNG; of two of one kind the first, as browsers do."""
    chunks: dict[bytes, bytes] = {}
    for kind, content in each_png_chunk(data):
        if kind == b"IDAT":
            break
        if kind in _HEEDED:
            chunks.setdefault(kind, content)
    return chunks


def jpeg_profile(data: bytes) -> bytes:
    """The ICC profile before the first scan of a JPEG, put together as browsers do; empty if there is none."""
    parts: dict[int, bytes] = {}
    total, position = 0, 2
    while (position := data.find(b"\xff", position)) >= 0 and data[position + 1 : position + 2] != b"\xda":
        marker, length = data[position + 1 : position + 2], int.from_bytes(data[position + 2 : position + 4])
        if marker in _NO_SEGMENTS:
            position += 1
            continue
        if marker == b"\xe2" and data.startswith(b"ICC_PROFILE\0", position + 4) and length >= 16:
            number, count = data[position + 16], data[position + 17]
            if 1 <= number <= count == (total or count):
                total = count
                parts.setdefault(number, data[position + 18 : position + 2 + length])
        position += 2 + max(length, 2)
    return b"".join(parts[number] for number in range(1, total + 1)) if len(parts) == total else b""


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
