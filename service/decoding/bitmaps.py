"""What a BMP must be so that all programs see one picture in it.

Pillow guesses where pixels begin that lie over the palette, and fills what run lengths leave out; browsers do not.
"""

import contextlib
import struct

from PIL import ImageFile, ImagePalette

_FILE_HEADER = 14
_CORE, _INFO = 12, 40
_RUNS_OF_8, _RUNS_OF_4, _MASKS = 1, 2, 3
_END, _MOVE = 1, 2


def check_bitmap(data: bytes) -> None:
    """Raise ``ValueError`` where programs differ; leaves what breaks off, or is of no known kind, to the decoder."""
    with contextlib.suppress(struct.error, IndexError):
        (start, size) = struct.unpack_from("<II", data, 10)
        if size == _CORE:
            _, _, _, bits = struct.unpack_from("<4H", data, 18)
            _check_palette(start, size + _FILE_HEADER, bits, 1 << bits, 3)
        else:
            width, height, _, bits, compression, _, _, _, colours = struct.unpack_from("<2i2H5I", data, 18)
            _check_palette(start, size + _FILE_HEADER, bits, colours or 1 << bits, 4)
            _check_masks(data, size, bits, compression)
            if compression in (_RUNS_OF_8, _RUNS_OF_4):
                _demand(start % 2 == 0 and bits == (8, 4)[compression - 1])
                _check_runs(data, start, width, abs(height), compression == _RUNS_OF_4)


def read_palette(image: ImageFile.ImageFile, data: bytes) -> None:
    """Before ``image`` is loaded: have a BMP of 4 or 8 bits show the colours of its palette.

    Pillow takes a palette of greys for levels, of black and white alone for pixels of one bit, whatever they have.
    """
    if image.format != "BMP":
        return
    (size,) = struct.unpack_from("<I", data, _FILE_HEADER)
    (bits,) = struct.unpack_from("<H", data, 24 if size == _CORE else 28)
    if bits not in (4, 8):
        return
    colours = (struct.unpack_from("<I", data, 46)[0] if size > _CORE else 0) or 1 << bits
    start, each, kind = _FILE_HEADER + size, *((3, "BGR") if size == _CORE else (4, "BGRX"))
    image._mode, image.palette = "P", ImagePalette.raw(kind, data[start : start + each * colours])
    codec, extents, offset, args = image.tile[0]
    assert isinstance(args, tuple)
    image.tile[0] = ImageFile._Tile(codec, extents, offset, ("P;4" if bits == 4 else "P", *args[1:]))


def _check_palette(start: int, palette: int, bits: int, colours: int, each: int) -> None:
    """Pixels come after the palette, which has no more colours than pixels can name, and both where that is two."""
    if bits > 8:
        _demand(start >= palette)
        return
    _demand(start >= palette + colours * each and colours <= 1 << bits and (bits, colours) != (1, 1))


def _check_masks(data: bytes, size: int, bits: int, compression: int) -> None:
    """Masks that say something; Pillow reads no opacity from 16 bits."""
    if compression != _MASKS:
        return
    *colours, opacity = struct.unpack_from("<4I", data, _FILE_HEADER + _INFO)
    _demand(any(colours) and (bits == 32 or size < 56 or opacity == 0))


def _check_runs(data: bytes, at: int, width: int, height: int, halves: bool) -> None:
    """Run lengths fill every row, and go beyond none."""
    column = row = 0
    while row < height:
        count, value = data[at], data[at + 1]
        at += 2
        if count:
            column += count
        elif value > _MOVE:
            column += value
            length = (value + 1) // 2 if halves else value
            at += length + length % 2
        else:
            _demand(column == width and value != _MOVE)
            if value == _END:
                _demand(row == height - 1)
                return
            column, row = 0, row + 1
        _demand(column <= width)


def _demand(holds: bool) -> None:
    if not holds:
        raise ValueError("programs differ on this BMP")
