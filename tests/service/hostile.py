"""Makes hostile and odd pictures, byte by byte where no encoder would write them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from tests.conftest import encoded

PNG = b"\x89PNG\r\n\x1a\n"


def flat(width: int, height: int, mode: str = "L") -> Image.Image:
    """A picture of one colour."""
    return Image.new(mode, (width, height))


def scene(width: int = 64, height: int = 48) -> Image.Image:
    """Smooth colours with some noise: no format can compress it to nothing."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((width, height))
    noisy = np.asarray(small).astype(int) + rng.integers(-8, 9, (height, width, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(kind: bytes, data: bytes, times: int = 1) -> bytes:
    """A PNG of :func:`scene` with ``times`` chunks before its pixels."""
    whole = encoded(scene(), "PNG")
    return whole[:33] + chunk(kind, data) * times + whole[33:]


def deflated_zeros(count: int) -> bytes:
    """A zlib stream of ``count`` zeros."""
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(1_000_000)) for _ in range(count // 1_000_000)), packer.flush()])


def gif(screen: tuple[int, int], frame: tuple[int, int], frames: int = 1) -> bytes:
    """A GIF of one-colour frames with a logical screen that need not fit them; little pixel data."""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + bytes(6)
    one = b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x44\x01\x00"
    return head + one * frames + b"\x3b"


def tiff(entries: dict[int, int], data: bytes = b"", chain: int = 1, loop: bool = False) -> bytes:
    """A little-endian TIFF whose directory holds ``entries`` (LONG); ``chain`` copies of it, the last may ``loop``."""
    fields = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    size = 2 + len(fields) + 4
    following = [8 + size * (number + 1) for number in range(chain - 1)] + [8 if loop else 0]
    directories = (struct.pack("<H", len(entries)) + fields + struct.pack("<I", offset) for offset in following)
    return b"II*\0" + struct.pack("<I", 8) + b"".join(directories) + data


def grey_tiff(width: int, height: int, **more: int) -> dict[int, int]:
    """Directory entries of an uncompressed grey TIFF."""
    names = {"compression": 259, "rows": 278, "counts": 279, "tile_width": 322, "tile_height": 323, "tile_offset": 324,
             "tile_counts": 325, "offset": 273}  # fmt: skip
    base = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: 1}
    return base | {names[name]: value for name, value in more.items()}


def bmp_rle(width: int, height: int, rows: int) -> bytes:
    """An RLE8 BMP with ``rows`` rows of one-pixel runs."""
    palette = bytes(range(256)) * 4
    body = (b"\x01\x05" * width + b"\x00\x00") * rows + b"\x00\x01"
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + 1024 + len(body), 0, 0, 14 + 40 + 1024) + head + palette + body


def bmp_masks(*masks: int, opacity: bytes = b"") -> bytes:
    """A BMP of 32 bits, one pixel high: red, by ``masks`` of red, green, blue and, if it has any, opacity."""
    opacity = opacity or b"\xff\xff"
    fields = struct.pack("<4I", *masks, *[0] * (4 - len(masks)))
    head = struct.pack("<IiiHHIIiiII", 56, len(opacity), 1, 1, 32, 3, 4 * len(opacity), 0, 0, 0, 0) + fields
    pixels = b"".join(struct.pack("<I", masks[0] | one << 24) for one in opacity)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(pixels), 0, 0, 14 + len(head)) + head + pixels


def jpeg_size(data: bytes, width: int, height: int) -> bytes:
    """A JPEG whose frame header claims another size."""
    at = next(i for i in range(len(data)) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC2))
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def jpeg_bits(data: bytes, bits: int) -> bytes:
    """A JPEG whose frame header claims samples of so many bits."""
    at = data.index(b"\xff\xc0") + 4
    return data[:at] + bytes([bits]) + data[at + 1 :]


def many_scans(width: int, height: int, scans: int) -> bytes:
    """A progressive JPEG that repeats its last scan: little data, much work."""
    data = encoded(flat(width, height), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]


def many_segments(count: int) -> bytes:
    """A JPEG with ``count`` empty comments before its picture."""
    data = encoded(scene(), "JPEG")
    return data[:2] + b"\xff\xfe\x00\x02" * count + data[2:]


def ycck(image: Image.Image) -> bytes:
    """A JPEG with ``image`` as Adobe YCCK: inverted colours as YCbCr, no black."""
    inverted = Image.fromarray(255 - np.asarray(image)).convert("YCbCr")
    planes = 255 - np.asarray(inverted)
    stored = Image.fromarray(np.dstack([planes, np.zeros(planes.shape[:2], np.uint8)]), "CMYK")
    data = encoded(stored, "JPEG", quality=95, subsampling=0)
    transform = data.index(b"Adobe") + 11
    assert data[transform] == 0
    return data[:transform] + b"\x02" + data[transform + 1 :]


def mpo(first: Image.Image, second: Image.Image) -> bytes:
    """A multi-picture JPEG."""
    buffer = io.BytesIO()
    first.save(buffer, "MPO", save_all=True, append_images=[second])
    return buffer.getvalue()


def avif_size(data: bytes, width: int, height: int) -> bytes:
    """An AVIF whose ``ispe`` property claims another size."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def _box(kind: bytes, *parts: bytes, version: int | None = None, flags: int = 0) -> bytes:
    """An ISO base media box; with a version, a full box."""
    full = b"" if version is None else struct.pack(">I", version << 24 | flags)
    data = full + b"".join(parts)
    return struct.pack(">I", 8 + len(data)) + kind + data


def avif_grid(tile: Image.Image, rows: int, columns: int, claims: tuple[int, int] | None = None) -> bytes:
    """An AVIF whose picture is a grid of the same tile; ``claims``: another width and height in its header and grid."""
    one = encoded(tile, "AVIF", quality=90)
    coded = one[one.index(b"mdat") + 4 :]
    config = one[one.index(b"av1C") - 4 :]
    width, height = claims or (tile.width * columns, tile.height * rows)
    count = rows * columns
    grid = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)
    info = [struct.pack(">HH", 1, 0) + b"grid\0", *(struct.pack(">HH", 2 + i, 0) + b"av01\0" for i in range(count))]
    hidden = [0] + [1] * count
    entries = [_box(b"infe", item, version=2, flags=flag) for item, flag in zip(info, hidden, strict=True)]
    whole, part = struct.pack(">II", width, height), struct.pack(">II", *tile.size)
    properties = _box(
        b"ipco", _box(b"ispe", part, version=0), _box(b"pixi", b"\3\x08\x08\x08", version=0),
        config[: int.from_bytes(config[:4])], _box(b"ispe", whole, version=0),
    )  # fmt: skip
    uses = struct.pack(">IHBBB", 1 + count, 1, 2, 4, 2)
    uses += b"".join(struct.pack(">HBBBB", 2 + i, 3, 1, 2, 0x83) for i in range(count))
    tiles = struct.pack(f">HH{count}H", 1, count, *range(2, 2 + count))

    def meta(start: int) -> bytes:
        places = struct.pack(">HHHII", 1, 0, 1, start, len(grid))
        places += b"".join(struct.pack(">HHHII", 2 + i, 0, 1, start + len(grid), len(coded)) for i in range(count))
        return _box(
            b"meta", _box(b"hdlr", bytes(4), b"pict", bytes(13), version=0),
            _box(b"pitm", b"\0\1", version=0),
            _box(b"iloc", struct.pack(">BBH", 0x44, 0, 1 + count), places, version=0),
            _box(b"iinf", struct.pack(">H", 1 + count), *entries, version=0),
            _box(b"iref", _box(b"dimg", tiles), version=0),
            _box(b"iprp", properties, _box(b"ipma", uses, version=0)), version=0,
        )  # fmt: skip

    head = _box(b"ftyp", b"avif", bytes(4), b"avifmif1miaf")
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + _box(b"mdat", grid, coded)


def webp_canvas(width: int, height: int) -> bytes:
    """A WebP whose extended header claims a canvas."""
    whole = encoded(scene().convert("RGBA"), "WEBP", exif=Image.Exif(), save_all=True, append_images=[flat(64, 48)])
    at = whole.index(b"VP8X") + 12
    return whole[:at] + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3] + whole[at + 6 :]


def overlapping(data: bytes, times: int) -> bytes:
    """A zip of one entry, which its table of contents names ``times`` times."""
    directory, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data[directory:end]
    counts = struct.pack("<HHI", times, times, len(entry) * times)
    return data[:directory] + entry * times + data[end : end + 8] + counts + data[end + 16 :]
