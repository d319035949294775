"""Recall against the size of the object: products of a split, cut out and pasted on its listing photos at known sizes.

The threshold stays where the unchanged photos of the split put it (1 % false positives). Other objects of the split are
pasted in the same way, so that a score for the paste itself shows as false alarms.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image
from tqdm import tqdm

from service.detector import Detector
from service.runtime.cores import available_cores
from training.evaluating.evaluation import Scored
from training.evaluating.robustness import RATE, judge
from training.evaluating.statistics import threshold_at
from training.photos.dataset import read_rgb
from training.photos.manifest import Photo
from training.synthesis.composites import cut
from training.synthesis.cutouts import paste

SHARES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7)
_OTHERS = 60
_SEED = 0


@dataclass(frozen=True, slots=True)
class SizeRow:
    """One category at one size. ``share``: of the picture's area that the object's box covers."""

    category: str
    share: float
    objects: int
    pictures: int
    recall: float
    others: int
    false_positive_rate: float


def sizes(scored: Scored, detector: Detector, category: str, rounds: int) -> list[SizeRow]:
    """Rows for every size; each object of ``category`` that can be cut out is pasted ``rounds`` times.

    Raises ValueError when none can be cut out, or the split has no listing photo.
    """
    scores, positive = scored.column(category)
    threshold = threshold_at(scores, positive, RATE)
    column = scored.categories.index(category)
    rng = np.random.default_rng(_SEED)
    things = _cut([photo for photo in scored.photos if category in photo.labels], rng, len(scored.photos))
    others = _cut([photo for photo in scored.photos if photo.group == "lookalike"], rng, _OTHERS)
    grounds = [photo for photo in scored.photos if photo.group == "listing"]
    if not things or not grounds:
        raise ValueError(f"nothing of {category} can be cut out and pasted")
    rows = []
    for share in tqdm(SHARES, "sizes", unit="size"):
        found = _scores(detector, things * rounds, grounds, share, _SEED)[:, column] > threshold
        alarms = _scores(detector, others, grounds, share, _SEED + 1)[:, column] > threshold if others else np.zeros(0)
        rows.append(
            SizeRow(category, share, len(things), len(found), float(found.mean()), len(alarms),
                    float(alarms.mean()) if len(alarms) else float("nan"))
        )  # fmt: skip
    return rows


def _cut(photos: Sequence[Photo], rng: np.random.Generator, most: int) -> list[Image.Image]:
    found: list[Image.Image] = []
    for index in rng.permutation(len(photos)):
        thing = cut(photos[int(index)]) if len(found) < most else None
        if thing is not None:
            found.append(thing)
    return found


def _scores(
    detector: Detector, things: Sequence[Image.Image], grounds: Sequence[Photo], share: float, seed: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    def one(number: int) -> list[float]:
        rng = np.random.default_rng((seed, number))
        ground = read_rgb(grounds[int(rng.integers(len(grounds)))])
        return judge(detector, paste(ground, things[number], share, rng))

    with ThreadPoolExecutor(available_cores()) as pool:
        return np.array(list(pool.map(one, range(len(things)))))
