"""What is left of a detector when sellers change their photos: every one of :mod:`training.evaluating.evasions`.

Thresholds stay where the unchanged photos of the split put them (1 % false positives). Photos go through the service's
own path as lossless PNG, so that nothing but the evasion changes them.
"""

import io
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image
from tqdm import tqdm

from service.detector import Detector
from service.runtime.cores import available_cores
from training.evaluating.evaluation import Scored
from training.evaluating.evasions import EVASIONS, STRENGTHS, evade
from training.evaluating.statistics import Scores, auroc, threshold_at
from training.photos.dataset import read_rgb
from training.photos.manifest import Photo

RATE = 0.01
CLEAN = "none"
_SEED = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One category under one evasion. ``recall`` and ``false_positive_rate``: at the threshold of the clean photos."""

    category: str
    evasion: str
    strength: int
    positives: int
    negatives: int
    recall: float
    kept: float
    auroc: float
    false_positive_rate: float


def robustness(scored: Scored, detector: Detector, categories: Sequence[str], negatives: int) -> list[Row]:
    """Rows for every category with positives, evasion and strength; strength 0 of evasion ``none`` is the clean split.

    Scores all photos that show one of ``categories`` and a random sample of ``negatives`` of the rest, once for each
    evasion and strength. ``kept`` is the recall as a share of the clean recall.
    """
    columns = [scored.categories.index(c) for c in categories if scored.column(c)[1].any()]
    shown = np.flatnonzero(scored.positive[:, columns].any(axis=1))
    others = np.flatnonzero(~scored.positive.any(axis=1))
    drawn = np.random.default_rng(_SEED).permutation(others)[:negatives]
    rows = np.sort(np.concatenate([shown, drawn]))
    photos = [scored.photos[int(row)] for row in rows]
    positive = scored.positive[rows]
    thresholds = {i: threshold_at(scored.scores[:, i], scored.positive[:, i], RATE) for i in columns}
    result = []
    cases = [(CLEAN, 0), *((name, strength) for name in EVASIONS for strength in STRENGTHS)]
    for name, strength in tqdm(cases, "evasions", unit="case"):
        scores = scored.scores[rows] if name == CLEAN else _scores(detector, photos, name, strength)
        for i in columns:
            recall = float((scores[positive[:, i], i] > thresholds[i]).mean())
            clean = float((scored.scores[scored.positive[:, i], i] > thresholds[i]).mean())
            result.append(
                Row(scored.categories[i], name, strength, int(positive[:, i].sum()), int((~positive[:, i]).sum()),
                    recall, recall / clean if clean else float("nan"), auroc(scores[:, i], positive[:, i]),
                    float((scores[~positive[:, i], i] > thresholds[i]).mean()))
            )  # fmt: skip
    return result


def judge(detector: Detector, picture: Image.Image) -> list[float]:
    """Probabilities ``[C]`` of ``picture`` by the service's own path, as lossless PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    answer = detector.answer(buffer.getvalue(), "robustness", detector.policy(None))
    return [answer.scores[category] for category in detector.contract.ids]


def _scores(detector: Detector, photos: Sequence[Photo], name: str, strength: int) -> Scores:
    def one(photo: Photo) -> list[float]:
        drawn = (_SEED, strength, zlib.crc32(photo.file.encode(errors="surrogateescape")))
        return judge(detector, evade(read_rgb(photo), name, strength, drawn))

    with ThreadPoolExecutor(available_cores()) as pool:
        return np.array(list(pool.map(one, photos)))
