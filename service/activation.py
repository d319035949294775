"""Class activation maps to boxes and heat maps.

A map holds the network's score of every position of the picture (Zhou et al. 2016). It is coarse, 9 cells a side,
and shows where the evidence is, not the outline of an object.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Map = NDArray[np.float32]
_FINE = 56
_GROUND, _LEVEL = 25, 0.3
# Dark violet to pale yellow: ordered in lightness, so that it reads in greyscale and for colour-blind moderators.
_COLOURS = ((0, 0, 4), (51, 16, 104), (137, 34, 106), (203, 65, 73), (245, 125, 21), (249, 201, 50), (252, 255, 164))


def box(scores: Map, width: int, height: int) -> tuple[int, int, int, int]:
    """Box ``(left, top, right, bottom)`` in pixels of a ``width`` x ``height`` picture around the map's peak.

    ``scores`` float32 ``[h, w]``; the box holds the cells connected to the peak that are at least 0.3 of the way from
    the map's lower quartile to its maximum. On 194 pictures with known objects that the head had not seen
    (docs/ablation.md) that gave a mean overlap of 0.66 (intersection over union), the whole picture 0.46.
    """
    fine = _enlarge(scores, _FINE, _FINE)
    low, high = float(np.percentile(fine, _GROUND)), float(fine.max())
    inside = fine >= low + _LEVEL * (high - low)
    rows, columns = _connected(inside, int(fine.argmax()))
    left, top = int(columns.min() * width / _FINE), int(rows.min() * height / _FINE)
    right, bottom = (int(columns.max()) + 1) * width / _FINE, (int(rows.max()) + 1) * height / _FINE
    return left, top, max(left + 1, round(right)), max(top + 1, round(bottom))


def heat(scores: Map, probability: float) -> Map:
    """Heat 0..1, float32 ``[h, w]``: how far a position's score is above the picture's median, of the way to the peak.

    The square root of the picture's ``probability`` (0..1) scales it, so that a picture that shows nothing stays cold.
    """
    low, high = float(np.median(scores)), float(scores.max())
    if high <= low:
        return np.zeros_like(scores)
    relative = np.clip((scores - low) / (high - low), 0.0, 1.0)
    return np.asarray(relative * probability**0.5, dtype=np.float32)


def overlay_png(rgb: Image.Image, heat: Map, side: int) -> bytes:
    """PNG of ``rgb`` (longer side at most ``side`` pixels) under ``heat`` float32 ``[h, w]``, 0..1.

    Colour and opacity grow with the heat: none leaves the picture as it is.
    """
    picture = rgb.copy()
    picture.thumbnail((side, side), Image.Resampling.BILINEAR)
    warm = np.clip(_enlarge(heat, *picture.size), 0.0, 1.0)
    colours = _colour_table()[(warm * 255).astype(np.uint8)]
    opacity = Image.fromarray((np.sqrt(warm) * 0.65 * 255).astype(np.uint8))
    blended = Image.composite(Image.fromarray(colours), picture, opacity)
    buffer = io.BytesIO()
    blended.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _enlarge(scores: Map, width: int, height: int) -> Map:
    return np.asarray(Image.fromarray(scores).resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)


def _connected(inside: NDArray[np.bool_], start: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the cells that are connected to ``start`` through their four neighbours.

    A whole run of a row or a column is taken at once: a few rounds, where growing cell by cell takes a hundred.
    """
    directions = _runs(inside), _runs(inside.T).T
    region = np.zeros_like(inside)
    region.flat[start] = True
    while True:
        grown = region
        for runs in directions:
            touched = np.zeros(runs.max() + 1, dtype=np.bool_)
            touched[runs[grown]] = True
            grown = touched[runs]
        if (grown == region).all():
            rows, columns = np.nonzero(region)
            return rows, columns
        region = grown


def _runs(inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of the run of true cells within its row that a cell belongs to, from 1; 0 outside."""
    begins = inside.copy()
    begins[:, 1:] &= ~inside[:, :-1]
    return np.where(inside, begins.cumsum().reshape(inside.shape), 0)


def _colour_table() -> NDArray[np.uint8]:
    stops = np.linspace(0, 255, len(_COLOURS))
    channels = [np.interp(np.arange(256), stops, [colour[c] for colour in _COLOURS]) for c in range(3)]
    return np.stack(channels, axis=1).astype(np.uint8)
