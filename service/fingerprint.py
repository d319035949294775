"""A perceptual hash: near-identical photos have near-identical bits, whatever their size, format and compression.

It is the sign of the lowest 64 cosine coefficients of the picture in grey, the mean left out (after Zauner 2010,
"Implementation and benchmarking of perceptual image hash functions"). It does not depend on the network, so what was
decided is found again after a new model came. With signs instead of a comparison with the median, the hash of the
mirrored picture is known from the hash alone.

A photo has several: of the whole, of what a plain border leaves, and of two central parts of that. Compared each with
each, they find copies that were cropped or framed.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BITS, BANDS = 64, 4
NEAR = 7
BAND_BITS = BITS // BANDS
_SIDE, _KEPT = 32, 8
_FAINT = 1.0
_CUTS = (0.06, 0.12)
# numpy counts bits since 2.0 only, and Blender's module needs 1.26
_ONES = np.array([value.bit_count() for value in range(1 << BAND_BITS)], dtype=np.uint8)
# how far, of 255, a pixel is from the colour of the border, and what share of a line must be so far
_OFF, _SHARE = 24, 0.02


def fingerprint(pixels: NDArray[np.uint8]) -> int | None:
    """The hash, 0 to 2**64 - 1, of ``pixels`` uint8 ``[h, w, 3]``; None for a picture of one colour, which has none."""
    grey = Image.fromarray(pixels).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    coefficients = _COSINES[:_KEPT] @ np.asarray(grey, dtype=np.float64) @ _COSINES[1 : _KEPT + 1].T
    if np.abs(coefficients).max() < _FAINT:
        return None
    return int.from_bytes(np.packbits(coefficients.ravel() > 0).tobytes(), "big")


def fingerprints(pixels: NDArray[np.uint8]) -> tuple[int, ...]:
    """The hashes of a photo, at most four, that of the whole first; none for a picture of one colour."""
    inner = _inner(pixels)
    parts = (pixels, inner, *(_centre(inner, cut) for cut in _CUTS))
    values = (fingerprint(part) for part in parts)
    return tuple(dict.fromkeys(value for value in values if value is not None))


def mirrored(value: int) -> int:
    """The hash of the picture with left and right exchanged."""
    return value ^ _ODD


def distance(first: int, second: int) -> int:
    """How many bits differ."""
    return (first ^ second).bit_count()


def distances(values: NDArray[np.uint64], value: int) -> NDArray[np.int64]:
    """How many bits of each of ``values`` differ from ``value``."""
    pieces = (values ^ np.uint64(value))[..., np.newaxis].view(np.uint16)
    counts: NDArray[np.int64] = ones(pieces).sum(axis=-1, dtype=np.int64)
    return counts


def ones(pieces: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """How many bits of each piece are 1."""
    return _ONES[pieces]


def bands(value: int) -> tuple[int, ...]:
    """The hash in ``BANDS`` pieces, by which it is looked up."""
    return tuple(value >> shift & _MASK for shift in range(0, BITS, BAND_BITS))


def joined(pieces: Iterable[int]) -> int:
    """The hash whose :func:`bands` are ``pieces``."""
    return sum(piece << BAND_BITS * number for number, piece in enumerate(pieces))


def around(band: int) -> list[int]:
    """A piece and those one bit away.

    Two hashes that differ in at most ``NEAR`` bits have a piece that differs in at most one: none is missed.
    """
    return [band, *(band ^ 1 << bit for bit in range(BAND_BITS))]


def _inner(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Without a border of one colour; all of it where less than half of a side would be left."""
    signed = pixels.astype(np.int16)
    border = np.median(np.concatenate([signed[0], signed[-1], signed[:, 0], signed[:, -1]]), axis=0).astype(np.int16)
    red, green, blue = (np.abs(signed[..., channel] - border[channel]) > _OFF for channel in range(3))
    off = red | green | blue
    rows, columns = np.flatnonzero(off.mean(axis=1) > _SHARE), np.flatnonzero(off.mean(axis=0) > _SHARE)
    if not len(rows) or not len(columns):
        return pixels
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    if bottom - top < len(pixels) // 2 or right - left < pixels.shape[1] // 2:
        return pixels
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def _centre(pixels: NDArray[np.uint8], cut: float) -> NDArray[np.uint8]:
    """The middle, ``cut`` of height and width left out."""
    height, width = pixels.shape[:2]
    down, across = int(height * cut / 2), int(width * cut / 2)
    return np.ascontiguousarray(pixels[down : height - down, across : width - across])


def _cosines() -> NDArray[np.float64]:
    """The orthonormal cosine transform of ``_SIDE`` values, float64 ``[_SIDE, _SIDE]``."""
    frequency, place = np.mgrid[0:_SIDE, 0:_SIDE]
    table = np.cos(np.pi * (2 * place + 1) * frequency / (2 * _SIDE)) * np.sqrt(2 / _SIDE)
    table[0] /= np.sqrt(2)
    return np.asarray(table, dtype=np.float64)


_COSINES = _cosines()
_MASK = 2**BAND_BITS - 1
# columns begin at frequency 1, so every other column, from the first, changes its sign when mirrored
_ODD = int("10" * (BITS // 2), 2)
