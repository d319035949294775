"""What an AVIF says of its colours without a profile: code points of ITU-T H.273, in its boxes or its AV1 stream.

Boxes by ISO/IEC 14496-12 and 23008-12. Of several items and tracks those count that are shown, as libavif chooses them.
"""

import struct
from collections.abc import Iterator

from service.decoding.av1 import colour_description

Span = tuple[int, int]
CodePoints = tuple[int, int]

# bytes of a box before the boxes in it
_FIELDS = {b"meta": 4, b"stsd": 8, b"av01": 78}
_TABLE = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_ENTRY = (b"stsd", b"av01", b"colr")
_MOST = 65_536


def code_points(data: bytes) -> CodePoints | None:
    """Colour primaries and transfer characteristics; None where nothing says them.

    Raises ``ValueError``, ``IndexError`` or ``struct.error`` on boxes that are broken, and where tracks disagree.
    """
    whole = (0, len(data))
    if data[8:12] == b"avis":
        tables = list(_each(data, whole, *_TABLE))
        said = {_nclx(data, colour) for table in tables for colour in _each(data, table, *_ENTRY)} - {None}
        said = said or {colour_description(_first_chunk(data, table)) for table in tables[:1]}
        if len(said) > 1:
            raise ValueError("tracks of several colours")
        return said.pop() if said else None
    meta = _first(_each(data, whole, b"meta"))
    item = _primary(data, meta)
    for colour in _properties(data, meta, item):
        if (points := _nclx(data, colour)) is not None:
            return points
    return colour_description(_content(data, meta, _first_tile(data, meta, item)))


def _boxes(data: bytes, span: Span) -> Iterator[tuple[bytes, Span]]:
    at, end = span
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        following = at + size if size else end
        if not start <= following <= end:
            raise ValueError("a box ends outside")
        yield kind, (start, following)
        at = following


def _each(data: bytes, span: Span, *path: bytes) -> Iterator[Span]:
    """Where the contents lie of the boxes named by ``path``."""
    for kind, (start, end) in _boxes(data, span):
        if kind == path[0]:
            inside = (start + _FIELDS.get(kind, 0), end)
            yield from _each(data, inside, *path[1:]) if path[1:] else (inside,)


def _first(spans: Iterator[Span]) -> Span:
    for span in spans:
        return span
    raise ValueError("a box is missing")


def _nclx(data: bytes, span: Span) -> CodePoints | None:
    kind, primaries, transfer = struct.unpack_from(">4sHH", data[slice(*span)].ljust(8, b"\0"))
    return (primaries, transfer) if kind == b"nclx" else None


def _primary(data: bytes, meta: Span) -> int:
    start, _ = _first(_each(data, meta, b"pitm"))
    return _number(data, start + 4, 4 if data[start] else 2)


def _properties(data: bytes, meta: Span, item: int) -> Iterator[Span]:
    """The ``colr`` properties of ``item``."""
    known = list(_boxes(data, _first(_each(data, meta, b"iprp", b"ipco"))))
    for start, _ in _each(data, meta, b"iprp", b"ipma"):
        wide, long = data[start + 3] & 1, 4 if data[start] else 2
        at = start + 8
        for _ in range(_number(data, start + 4, 4)):
            owner, count = _number(data, at, long), data[at + long]
            at += long + 1
            for _ in range(count):
                index = _number(data, at, 1 + wide) & (0x7FFF if wide else 0x7F)
                at += 1 + wide
                if owner == item and index and known[index - 1][0] == b"colr":
                    yield known[index - 1][1]


def _first_tile(data: bytes, meta: Span, item: int) -> int:
    """The first item of the grid that ``item`` is, or itself."""
    for start, end in _each(data, meta, b"iref"):
        long = 4 if data[start] else 2
        for kind, (at, _) in _boxes(data, (start + 4, end)):
            if kind == b"dimg" and _number(data, at, long) == item:
                return _number(data, at + long + 2, long)
    return item


def _content(data: bytes, meta: Span, item: int) -> bytes:
    """The first bytes of ``item``, from wherever they lie."""
    at, _ = _first(_each(data, meta, b"iloc"))
    version = data[at]
    offsets, lengths = divmod(data[at + 4], 16)
    bases, indices = divmod(data[at + 5], 16)
    long = 4 if version == 2 else 2
    count = _number(data, at + 6, long)
    at += 6 + long
    for _ in range(count):
        owner = _number(data, at, long)
        at += long
        inside = bool(version) and _number(data, at, 2) & 15 == 1
        at += 4 if version else 2
        base = _number(data, at, bases) + (_first(_each(data, meta, b"idat"))[0] if inside else 0)
        extents = _number(data, at + bases, 2)
        at += bases + 2
        step, found = (indices if version else 0) + offsets + lengths, b""
        for _ in range(extents):
            start = base + _number(data, at + step - offsets - lengths, offsets)
            found += data[start : start + min(_number(data, at + step - lengths, lengths), _MOST)]
            at += step
        if owner == item:
            return found
    raise ValueError("the picture lies nowhere")


def _first_chunk(data: bytes, table: Span) -> bytes:
    for kind, size in ((b"stco", 4), (b"co64", 8)):
        for start, _ in _each(data, table, kind):
            first = _number(data, start + 8, size)
            return data[first : first + _MOST]
    raise ValueError("the pictures lie nowhere")


def _number(data: bytes, at: int, size: int) -> int:
    found = data[at : at + size]
    if len(found) < size:
        raise IndexError("a box breaks off")
    return int.from_bytes(found)
