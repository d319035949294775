"""ICC profiles: read as browsers read them, whether one shows nearly what sRGB does, and profiles made from numbers.

Pure arithmetic on a few bytes, for some of it is done in the service's own process. The colour engine is handed what
was made here, or tables: if it read a profile more leniently than browsers do, the network would see what nobody sees.
"""

import functools
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# of 255, the mean over a grid of colours: Display P3 has 9.1, Adobe RGB 9.5, ColorMatch 15.4, ProPhoto 21.9;
# and the most over the levels of a curve, which may be odd between those of the grid: a gamma of 1.8 has 19, of 2.6 18
_NEAR_MEAN, _NEAR_CURVE = 12.0, 24.0
_CACHED_BYTES = 65_536
_LEVELS = np.linspace(0, 1, 256)
_GRID = slice(0, 256, 51)
# of sRGB and of the connection space of profiles: Bradford, D65 to D50
_SRGB_TO_XYZ = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.9642, 1.0, 0.8249])
_TABLES = (b"A2B0", b"A2B1")


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """``curves`` [3, n] take levels to linear light, 0 to 1; ``columns`` [3, 3] take that to XYZ under D50."""

    columns: Floats
    curves: Floats

    @property
    def near_srgb(self) -> bool:
        """Whether it shows nearly what sRGB does."""
        odd = np.abs(_encoded(self.curves) - _LEVELS).max() * 255
        levels = np.stack([_LEVELS] * 3)
        shown = _encoded(_grid(self.curves) @ self.columns.T @ np.linalg.inv(_SRGB_TO_XYZ).T)
        return bool(odd <= _NEAR_CURVE and np.abs(shown - _grid(levels)).mean() * 255 <= _NEAR_MEAN)

    def profile(self) -> bytes:
        """An ICC profile that says so."""
        tags = {f"{name}XYZ": b"XYZ \0\0\0\0" + _fixed(self.columns[:, number]) for number, name in enumerate("rgb")}
        tags["wtpt"] = b"XYZ \0\0\0\0" + _fixed(_D50)
        for name, curve in zip("rgb", self.curves, strict=True):
            table = np.rint(curve.clip(0, 1) * 65_535).astype(">u2").tobytes()
            tags[f"{name}TRC"] = b"curv\0\0\0\0" + struct.pack(">I", len(curve)) + table
        start, directory, body = 132 + 12 * len(tags), b"", b""
        for name, content in tags.items():
            directory += struct.pack(">4sII", name.encode(), start + len(body), len(content))
            body += content + bytes(-len(content) % 4)
        size = start + len(body)
        head = struct.pack(">I4sI4s4s4s12s4s", size, b"", 0x02400000, b"mntr", b"RGB ", b"XYZ ", bytes(12), b"acsp")
        return head + bytes(28) + _fixed(_D50) + bytes(48) + struct.pack(">I", len(tags)) + directory + body


class BrokenProfileError(ValueError):
    """A profile that browsers cannot read."""


def negligible(profile: bytes) -> bool:
    """Whether ``profile`` may be ignored: it shows nearly what sRGB does, or browsers cannot read it either."""
    return _negligible(profile) if len(profile) <= _CACHED_BYTES else _negligible.__wrapped__(profile)


def for_engine(profile: bytes) -> bytes | None:
    """``profile`` as the colour engine is to have it; None if it is near sRGB. Raises :class:`BrokenProfileError`."""
    try:
        tags = _tags(profile)
        if any(name in tags for name in _TABLES):
            return _tables_alone(profile, tags)
        with np.errstate(all="ignore"):
            matrix = _matrix(profile, tags)
            return None if matrix.near_srgb else matrix.profile()
    except (struct.error, ValueError, KeyError) as error:
        raise BrokenProfileError from error


def columns_of(primaries: tuple[float, ...]) -> Floats:
    """``columns`` of a :class:`Matrix` from chromaticities x, y of white, red, green and blue.

    Raises ``ValueError`` (``numpy.linalg.LinAlgError``) or ``ZeroDivisionError`` where they span no colours.
    """
    white, *rgb = (
        np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in zip(primaries[::2], primaries[1::2], strict=True)
    )
    columns = np.stack(rgb, axis=1)
    columns = columns * np.linalg.solve(columns, white)
    scale = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: Floats = np.linalg.inv(_BRADFORD) @ (scale[:, None] * (_BRADFORD @ columns))
    return adapted


@functools.lru_cache(maxsize=64)
def _negligible(profile: bytes) -> bool:
    try:
        return for_engine(profile) is None
    except BrokenProfileError:
        return True


def _tags(profile: bytes) -> dict[bytes, tuple[int, int]]:
    """Where each tag lies, and its length; raises ``ValueError`` on a profile that browsers ignore."""
    (size,), (version,), (count,) = (struct.unpack_from(">I", profile, at) for at in (0, 8, 128))
    table = 132 + 12 * count
    white = np.array(struct.unpack_from(">3i", profile, 68)) / 65_536
    known = profile[36:40] == b"acsp" and profile[20:24] in (b"XYZ ", b"Lab ")
    if not (known and table <= size <= len(profile) and version >> 24 <= 4 and np.abs(white - _D50).max() <= 0.01):
        raise ValueError("the profile is none")
    tags: dict[bytes, tuple[int, int]] = {}
    for at in range(132, table, 12):
        name, start, length = struct.unpack_from(">4sII", profile, at)
        if start < table or start + length > size:
            raise ValueError("a tag lies outside")
        tags.setdefault(name, (start, length))
    return tags


def _tables_alone(profile: bytes, tags: dict[bytes, tuple[int, int]]) -> bytes:
    """``profile`` as one of a display with the one table that browsers take, so that the engine takes no other."""
    start, length = next(tags[name] for name in _TABLES if name in tags)
    white = b"XYZ \0\0\0\0" + _fixed(_D50)
    directory = struct.pack(">I4sII4sII", 2, b"A2B0", 176, length, b"wtpt", 156, 20)
    size = 176 + length
    head = struct.pack(">I", size) + profile[4:12] + b"mntr" + profile[16:128]
    return head + directory + white + profile[start : start + length]


def _matrix(profile: bytes, tags: dict[bytes, tuple[int, int]]) -> Matrix:
    def content(name: bytes) -> bytes:
        start, length = tags[name]
        return profile[start : start + length]

    if profile[16:24] == b"GRAYXYZ ":
        return Matrix(_SRGB_TO_XYZ, np.stack([_curve(content(b"kTRC"))] * 3))
    if profile[16:20] != b"RGB ":
        raise ValueError("the profile has no curves")
    columns = np.stack([_xyz(content(name)) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
    return Matrix(columns, np.stack([_curve(content(name)) for name in (b"rTRC", b"gTRC", b"bTRC")]))


def _fixed(values: Floats) -> bytes:
    return struct.pack(">3i", *(round(float(value) * 65_536) for value in values))


def _xyz(tag: bytes) -> Floats:
    kind, *values = struct.unpack_from(">4s4x3i", tag)
    if kind != b"XYZ ":
        raise ValueError("a colour of the profile is none")
    return np.array(values) / 65_536


def _curve(tag: bytes) -> Floats:
    """Linear light of the 256 levels."""
    kind, count = struct.unpack_from(">4s4xI", tag)
    if kind == b"para":
        return _parametric(tag)
    if kind != b"curv":
        raise ValueError("a curve of the profile is none")
    if count <= 1:
        return np.power(_LEVELS, float(struct.unpack_from(">H", tag, 12)[0]) / 256) if count else _LEVELS
    table = np.frombuffer(tag, ">u2", count, 12) / 65_535
    return np.interp(_LEVELS, np.linspace(0, 1, count), table)


def _parametric(tag: bytes) -> Floats:
    """ICC.1:2022, 10.18: a power with offsets, and a line below ``d``."""
    (kind,) = struct.unpack_from(">H", tag, 8)
    if kind > 4:
        raise ValueError("a curve of the profile is of no kind")
    values = [float(value) / 65_536 for value in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)]
    g, a, b, c, d, e, f = [*values, *(1.0, 0.0, 0.0, 0.0, 0.0, 0.0)[len(values) - 1 :]]
    if kind in (1, 2):
        c, d, e, f = 0.0, -b / a if a else 0.0, c, c
    if min(g, a, c, d, a * d + b) < 0:
        raise ValueError("a curve of the profile is broken")
    return np.where(d <= _LEVELS, np.maximum(a * _LEVELS + b, 0) ** g + e, c * _LEVELS + f)


def _grid(curves: Floats) -> Floats:
    return np.stack(np.meshgrid(*curves[:, _GRID]), axis=-1).reshape(-1, 3)


def _encoded(linear: Floats) -> Floats:
    linear = np.nan_to_num(linear).clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
