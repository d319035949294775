"""Where the evidence is shown, beside where the object is: peaks of activation maps, and boxes of findings.

Where an object is, is known of photos with a plain background, where it can be cut out, and of pictures that were
rendered with a mask. Peaks on the object: the pointing game (Zhang et al. 2016). Overlap: intersection over union.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.detector import Detector
from training.evaluating.evaluation import SMALL, Scored
from training.evaluating.shares import share_of
from training.evaluating.statistics import mean_interval
from training.photos.dataset import read_rgb
from training.photos.manifest import Photo
from training.synthesis.composites import object_of
from training.synthesis.cutouts import box_of

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
        "overlap": {"value": float(overlaps.mean()), "interval": mean_interval(overlaps, instances, rounds)},
        "overlap_of_whole_picture": float(np.mean([item.whole for item in found])),
        "half_overlap": {"value": halves.value, "interval": halves.interval},
    }


def _located(scored: Scored, detector: Detector) -> Iterator[Located]:
    for photo, answer in zip(scored.photos, scored.answers, strict=True):
        boxes = {finding.category: finding.box for finding in answer.findings if finding.category in photo.labels}
        opacity = object_of(photo, read_rgb(photo)) if boxes else None
        inside = None if opacity is None else box_of(opacity)
        if opacity is None or inside is None:
            continue
        height, width = opacity.shape
        on_object, whole = opacity > _HALF, _overlap((0, 0, width, height), inside)
        maps = detector.see(photo.path.read_bytes()).scores.maps[0]
        # the picture that boxes are in may be larger
        scale = width / answer.image.width, height / answer.image.height
        for category, box in boxes.items():
            shown = box.left * scale[0], box.top * scale[1], box.right * scale[0], box.bottom * scale[1]
            peak = _peak(maps[detector.contract.ids.index(category)], height, width)
            yield Located(
                photo, category, float(on_object.mean()), bool(on_object[peak]), _overlap(shown, inside), whole
            )  # fmt: skip


def _peak(cells: NDArray[np.float32], height: int, width: int) -> tuple[int, int]:
    """Row and column, in a picture of that size, of the middle of the highest cell."""
    row, column = np.unravel_index(int(cells.argmax()), cells.shape)
    return int((row + 0.5) / cells.shape[0] * height), int((column + 0.5) / cells.shape[1] * width)


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union of two boxes ``(left, top, right, bottom)``."""
    sides = [min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1)]
    shared = max(sides[0], 0.0) * max(sides[1], 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)
