"""Where the evidence is shown, beside where the object is: peaks of activation maps, and boxes of findings.

Where an object is, is known of photos with a plain background, where it can be cut out, and of pictures that were
rendered with a mask. Peaks on the object: the pointing game (Zhang et al. 2016). Overlap: intersection over union.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.answer import Box
from service.detector import Detector
from training.evaluating.evaluation import SMALL, Scored
from training.evaluating.shares import share_of
from training.photos.dataset import read_rgb
from training.photos.manifest import Photo
from training.synthesis.composites import object_of

Cells = NDArray[np.float32]
_SHARE = (0.03, 0.9)
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Located:
    """A finding of a photo that shows its category. ``share``: of the picture's area that the object covers, 0..1.

    ``peak_on_object``: whether the highest cell of the map lies on it. ``overlap``: of the finding's box with the
    object's, 0..1; ``whole``: of the whole picture with it, what a box that says nothing would have.
    """

    photo: Photo
    category: str
    share: float
    peak_on_object: bool
    overlap: float
    whole: float


def localisation(scored: Scored, detector: Detector, rounds: int) -> dict[str, dict[str, Any]]:
    """What is reported of each category that was found in photos whose object is known, with 95 % intervals."""
    found = list(_located(scored, detector))
    names = [name for name in scored.categories if any(item.category == name for item in found)]
    return {name: _summary([item for item in found if item.category == name], rounds) for name in names}


def _summary(found: list[Located], rounds: int) -> dict[str, Any]:
    instances = [item.photo.instance for item in found]
    overlaps = np.array([item.overlap for item in found])
    peaks = share_of(np.array([item.peak_on_object for item in found]), instances)
    halves = share_of(overlaps >= _HALF, instances)
    return {
        "photos": len(found),
        "instances": len(set(instances)),
        "small_sample": len(set(instances)) < SMALL,
        "peak_on_object": {"value": peaks.value, "interval": peaks.interval},
        "object_share": float(np.mean([item.share for item in found])),
        "overlap": {
            "value": float(overlaps.mean()),
            "interval": _interval_of_mean(overlaps, instances, rounds),
        },
        "overlap_of_whole_picture": float(np.mean([item.whole for item in found])),
        "half_overlap": {"value": halves.value, "interval": halves.interval},
    }


def _interval_of_mean(values: NDArray[np.float64], instances: list[str], rounds: int) -> tuple[float, float]:
    """95 % percentile interval of the bootstrap over instances; nan of a single one."""
    _, codes = np.unique(instances, return_inverse=True)
    sums, sizes = np.bincount(codes, values), np.bincount(codes)
    if len(sums) < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(0).integers(0, len(sums), (rounds, len(sums)))
    low, high = np.percentile(sums[drawn].sum(1) / sizes[drawn].sum(1), [2.5, 97.5])
    return float(low), float(high)


def _located(scored: Scored, detector: Detector) -> Iterator[Located]:
    for photo, answer in zip(scored.photos, scored.answers, strict=True):
        boxes = {finding.category: finding.box for finding in answer.findings if finding.category in photo.labels}
        opacity = object_of(photo, read_rgb(photo)) if boxes else None
        if opacity is None or not _SHARE[0] < float(opacity.mean()) < _SHARE[1]:
            continue
        maps = detector.see(photo.path.read_bytes()).scores.maps[0]
        size = answer.image.width, answer.image.height
        for category, box in boxes.items():
            cells = maps[detector.contract.ids.index(category)]
            yield _compared(photo, category, opacity, cells, box, size)


def _compared(
    photo: Photo, category: str, opacity: NDArray[np.float32], cells: Cells, box: Box, size: tuple[int, int]
) -> Located:  # fmt: skip
    """``size``: width and height of the picture that ``box`` is in; ``opacity`` may be smaller."""
    height, width = opacity.shape
    row, column = np.unravel_index(int(cells.argmax()), cells.shape)
    peak = int((row + 0.5) / cells.shape[0] * height), int((column + 0.5) / cells.shape[1] * width)
    inside = Image.fromarray(((opacity > _HALF) * 255).astype(np.uint8)).getbbox()
    assert inside is not None
    scale = width / size[0], height / size[1]
    shown = box.left * scale[0], box.top * scale[1], box.right * scale[0], box.bottom * scale[1]
    return Located(
        photo, category, float((opacity > _HALF).mean()), bool(opacity[peak] > _HALF),
        _overlap(shown, inside), _overlap((0, 0, width, height), inside),
    )  # fmt: skip


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union of two boxes ``(left, top, right, bottom)``."""
    sides = [min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1)]
    shared = max(sides[0], 0.0) * max(sides[1], 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)
