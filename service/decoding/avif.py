"""What an AVIF says of its colours without a profile: code points of ITU-T H.273, in its boxes or its AV1 stream.

Boxes by ISO/IEC 14496-12 and 23008-12. Of several items and tracks those count that are shown, as libavif and Chromium
156 choose them.
"""

import contextlib
import struct
from collections.abc import Iterator
from itertools import islice

from service.decoding.av1 import colour_description

Span = tuple[int, int]
CodePoints = tuple[int, int]

# bytes of a box before the boxes in it
_FIELDS = {b"meta": 4, b"stsd": 8, b"av01": 78}
_TABLE = (b"mdia", b"minf", b"stbl")
# bytes of a place in each kind of list of chunks
_CHUNKS = {b"stco": 4, b"co64": 8}
_SHOWN = (b"pict", b"vide")
# bytes of a stream: Chromium looks for the sequence header no further
_MOST = 4_032
# properties that an association can name
_NAMED = 0x7FFF


def code_points(data: bytes) -> CodePoints | None:
    """Colour primaries and transfer characteristics; None where nothing says them.

    Raises ``ValueError``, ``IndexError`` or ``struct.error`` on boxes that are broken, and where pictures of which
    programs may show one or the other disagree.
    """
    whole = (0, len(data))
    said = {_of_track(data, *track) for track in _tracks(data)}
    if not said or (data[8:12] != b"avis" and any(_each(data, whole, b"meta"))):
        said.add(_of_item(data, _first(_each(data, whole, b"meta"))))
    if len(said) > 1:
        raise ValueError("pictures of several colours")
    return said.pop()


def check_tracks(data: bytes) -> None:
    """Raise ``ValueError`` where libavif may show a track that Chromium 156 passes over."""
    for _ in _tracks(data):
        pass


def _tracks(data: bytes) -> Iterator[tuple[Span, int]]:
    """Sample entry of each track that libavif may show, and where its pictures begin: not those of opacity."""
    for track in () if data[8:12] == b"avif" else _each_track(data):
        opacity_of = [_number(data, at, 4) for at, _ in _each(data, track, b"tref", b"auxl")]
        for table in _each(data, track, *_TABLE):
            chunk, entry = _first_chunk(data, table), next(_each(data, table, b"stsd", b"av01"), None)
            if chunk is None or entry is None or (opacity_of and opacity_of[-1]):
                continue
            handlers = [data[at + 8 : at + 12] for at, _ in _each(data, track, b"mdia", b"hdlr")]
            if opacity_of or not handlers or any(handler not in _SHOWN for handler in handlers):
                raise ValueError("a track that not every program shows")
            yield entry, chunk


def _each_track(data: bytes) -> Iterator[Span]:
    """Those of the first ``moov`` before what is no box: decoders stop reading once they have it."""
    moov = None
    with contextlib.suppress(ValueError, struct.error):
        moov = next(_each(data, (0, len(data)), b"moov"), None)
    if moov is not None:
        yield from _each(data, moov, b"trak")


def _of_track(data: bytes, entry: Span, chunk: int) -> CodePoints | None:
    return _nclx(data, _each(data, entry, b"colr")) or colour_description(data[chunk : chunk + _MOST])


def _of_item(data: bytes, meta: Span) -> CodePoints | None:
    item = _primary(data, meta)
    said = _nclx(data, _properties(data, meta, item))
    return said or colour_description(_content(data, meta, _first_tile(data, meta, item)))


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


def _nclx(data: bytes, colours: Iterator[Span]) -> CodePoints | None:
    """Of the first of ``colours`` that says code points."""
    for span in colours:
        said = data[slice(*span)]
        if said[:4] == b"nclx":
            return struct.unpack_from(">HH", said, 4)
    return None


def _primary(data: bytes, meta: Span) -> int:
    start, _ = _first(_each(data, meta, b"pitm"))
    return _number(data, start + 4, 4 if data[start] else 2)


def _properties(data: bytes, meta: Span, item: int) -> Iterator[Span]:
    """The ``colr`` properties of ``item``, by its first list: decoders refuse a second one."""
    known = list(islice(_boxes(data, _first(_each(data, meta, b"iprp", b"ipco"))), _NAMED))
    for start, _ in _each(data, meta, b"iprp", b"ipma"):
        size, long = 1 + (data[start + 3] & 1), 4 if data[start] else 2
        at = start + 8
        for _ in range(_number(data, start + 4, 4)):
            owner, count = _number(data, at, long), data[at + long]
            at += long + 1
            if owner == item:
                indices = [_number(data, at + size * place, size) for place in range(count)]
                named = [known[index - 1] for one in indices if (index := one & (_NAMED if size == 2 else 0x7F))]
                yield from (span for kind, span in named if kind == b"colr")
                return
            at += size * count


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
    widths = (indices if version else 0, offsets, lengths)
    long = 4 if version == 2 else 2
    count = _number(data, at + 6, long)
    at += 6 + long
    for _ in range(count):
        owner = _number(data, at, long)
        at += long
        inside = bool(version) and _number(data, at, 2) & 15 == 1
        at += 4 if version else 2
        base, extents = _number(data, at, bases), _number(data, at + bases, 2)
        at += bases + 2
        if owner == item:
            return _gathered(data, at, extents, base + (_first(_each(data, meta, b"idat"))[0] if inside else 0), widths)
        at += extents * sum(widths)
    raise ValueError("the picture lies nowhere")


def _gathered(data: bytes, at: int, extents: int, base: int, widths: tuple[int, int, int]) -> bytes:
    """What lies where ``extents``, from ``at`` on, say; ``widths``: of their indices, offsets and lengths."""
    indices, offsets, lengths = widths
    found = b""
    for _ in range(extents):
        start = base + _number(data, at + indices, offsets)
        size = _number(data, at + indices + offsets, lengths)
        found += data[start : start + min(size, _MOST - len(found))]
        at += sum(widths)
    return found


def _first_chunk(data: bytes, table: Span) -> int | None:
    for kind, (start, _) in _boxes(data, table):
        if kind in _CHUNKS and _number(data, start + 4, 4):
            return _number(data, start + 8, _CHUNKS[kind])
    return None


def _number(data: bytes, at: int, size: int) -> int:
    found = data[at : at + size]
    if len(found) < size:
        raise IndexError("a box breaks off")
    return int.from_bytes(found)
