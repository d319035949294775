"""Class activation maps to boxes and heat maps.

A map holds the network's score of every position of the picture (Zhou et al. 2016). It is coarse, some 18 cells a side,
and shows where the evidence is, not the outline of an object.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Map = NDArray[np.float32]
_FINE = 56
# Dark violet to pale yellow: ordered in lightness, so that it reads in greyscale and for colour-blind moderators.
_COLOURS = ((0, 0, 4), (51, 16, 104), (137, 34, 106), (203, 65, 73), (245, 125, 21), (249, 201, 50), (252, 255, 164))


def box(scores: Map, width: int, height: int, level: float = 0.6) -> tuple[int, int, int, int]:
    """Box ``(left, top, right, bottom)`` in pixels of a ``width`` x ``height`` picture around the map's peak.

    ``scores`` float32 ``[h, w]``; the box holds the cells connected to the peak that are at least ``level`` of the way
    from the map's minimum to its maximum.
    """
    fine = _enlarge(scores, _FINE, _FINE)
    low, high = float(fine.min()), float(fine.max())
    inside = fine >= low + level * (high - low)
    rows, columns = _connected(inside, int(fine.argmax()))
    return (
        int(columns.min() * width / _FINE),
        int(rows.min() * height / _FINE),
        max(1, round((int(columns.max()) + 1) * width / _FINE)),
        max(1, round((int(rows.max()) + 1) * height / _FINE)),
    )


def overlay_png(rgb: Image.Image, probabilities: Map, side: int) -> bytes:
    """PNG of ``rgb`` (longer side at most ``side`` pixels) under a heat map of ``probabilities`` float32 ``[h, w]``.

    Colour and opacity grow with the probability at a position: an empty map leaves the picture as it is.
    """
    picture = rgb.copy()
    picture.thumbnail((side, side), Image.Resampling.BILINEAR)
    heat = np.clip(_enlarge(probabilities, *picture.size), 0.0, 1.0)
    colours = _colour_table()[(heat * 255).astype(np.uint8)]
    opacity = Image.fromarray((np.sqrt(heat) * 0.65 * 255).astype(np.uint8))
    blended = Image.composite(Image.fromarray(colours), picture, opacity)
    buffer = io.BytesIO()
    blended.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _enlarge(scores: Map, width: int, height: int) -> Map:
    return np.asarray(Image.fromarray(scores).resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)


def _connected(inside: NDArray[np.bool_], start: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the cells that are connected to ``start`` through their four neighbours."""
    region = np.zeros_like(inside)
    region.flat[start] = True
    while True:
        grown = region.copy()
        grown[1:] |= region[:-1]
        grown[:-1] |= region[1:]
        grown[:, 1:] |= region[:, :-1]
        grown[:, :-1] |= region[:, 1:]
        grown &= inside
        if (grown == region).all():
            rows, columns = np.nonzero(region)
            return rows, columns
        region = grown


def _colour_table() -> NDArray[np.uint8]:
    stops = np.linspace(0, 255, len(_COLOURS))
    channels = [np.interp(np.arange(256), stops, [colour[c] for colour in _COLOURS]) for c in range(3)]
    return np.stack(channels, axis=1).astype(np.uint8)
