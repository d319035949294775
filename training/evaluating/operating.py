"""What a threshold means on an operator's own stream: recall, precision, and photos to review a day.

Recall and false-positive rate come from a labelled split; the stream's prevalence and size come from the operator. A
false-positive rate measured on a few thousand photos is only so fine: its one-sided 95 % upper bound (Clopper & Pearson
1934) is reported beside it, and is the "rule of three" (3 / n) where no photo was flagged. What it means for precision
and reviews is told too. Photos of one instance count as one, see :mod:`training.evaluating.shares`.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluating.shares import effective_size
from training.evaluating.statistics import Flags, Scores, precision_at_prevalence, threshold_at

RATES = (0.05, 0.03, 0.02, 0.01, 0.006, 0.004, 0.003, 0.002, 0.001, 0.0005, 0.0)
_MARGIN = 1e-4
_CONFIDENCE = 0.95
_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Stream:
    """An operator's photos: how many a day, and which share shows a given category."""

    photos_per_day: float
    prevalence: float


@dataclass(frozen=True, slots=True)
class Point:
    """A threshold of one category and what it gives; ``reviews_per_day`` counts hits and false alarms.

    ``precision_lower`` and ``reviews_per_day_upper``: at the upper bound of the false-positive rate.
    """

    category: str
    threshold: float
    recall: float
    false_positive_rate: float
    false_positive_rate_upper: float
    precision: float
    precision_lower: float
    reviews_per_day: float
    reviews_per_day_upper: float


def points(category: str, scores: Scores, positive: Flags, stream: Stream, groups: Sequence[str]) -> list[Point]:
    """One point for each rate of ``RATES``, from the lowest threshold to the highest; ``groups``: instances of photos.

    Raises ValueError without a photo that does not show the category.
    """
    if positive.all():
        raise ValueError(f"every photo shows {category}: no threshold can be measured")
    size = effective_size([groups[int(i)] for i in np.flatnonzero(~positive)])
    return [_point(category, _threshold(scores, positive, rate), scores, positive, stream, size) for rate in RATES]


def choose(table: Mapping[str, Sequence[Point]], capacity: float) -> dict[str, Point]:
    """The lowest thresholds, at one false-positive rate for all categories, that ``capacity`` reviews a day allow.

    Raises ValueError when even the highest thresholds ask for more reviews.
    """
    for step in range(len(RATES)):
        chosen = {category: rows[step] for category, rows in table.items()}
        if sum(point.reviews_per_day for point in chosen.values()) <= capacity:
            return chosen
    least = sum(rows[-1].reviews_per_day for rows in table.values())
    raise ValueError(f"even the highest thresholds give {least:.0f} reviews a day: raise --review-capacity")


def policy_toml(chosen: Mapping[str, Point], stream: Stream, capacity: float, date: str) -> str:
    """A policy file with the chosen thresholds; other categories are off."""
    lines = [
        "[default]",
        f'version = "{date}"',
        f'description = "At most {capacity:g} reviews a day of {stream.photos_per_day:g} photos, '
        f'prevalence {stream.prevalence:g}."',
        "",
        "[default.categories]",
        *(f"{_key(category)} = {{ review = {point.threshold:.5f} }}" for category, point in chosen.items()),
        '"*" = { review = "off" }',
    ]
    return "\n".join(lines) + "\n"


def _key(category: str) -> str:
    """A category as a key of TOML: bare where that can be, quoted like a string of JSON otherwise."""
    return category if re.fullmatch(r"[A-Za-z0-9_-]+", category) else json.dumps(category, ensure_ascii=False)


def upper_bound(hits: int, count: int) -> float:
    """One-sided 95 % Clopper-Pearson upper bound of a share of which ``hits`` of ``count`` were seen."""
    if hits >= count:
        return 1.0
    low, high = hits / count, 1.0
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    k = np.arange(hits + 1)
    ways = logs[count] - logs[k] - logs[count - k]
    for _ in range(_ROUNDS):
        share = (low + high) / 2
        at_most = float(np.exp(ways + k * np.log(share) + (count - k) * np.log1p(-share)).sum())
        low, high = (share, high) if at_most > 1 - _CONFIDENCE else (low, share)
    return high


def _threshold(scores: Scores, positive: Flags, rate: float) -> float:
    return round(min(1.0, threshold_at(scores, positive, rate) * (1 + _MARGIN) + _MARGIN), 5)


def _point(category: str, threshold: float, scores: Scores, positive: Flags, stream: Stream, size: float) -> Point:
    flagged = scores >= threshold
    recall, alarms = float(flagged[positive].mean()), float(flagged[~positive].mean())
    upper = upper_bound(math.ceil(alarms * size - 1e-9), math.floor(size + 1e-9))
    precision, lower = (precision_at_prevalence(recall, rate, stream.prevalence) for rate in (alarms, upper))
    hits, others = stream.photos_per_day * stream.prevalence * recall, stream.photos_per_day * (1 - stream.prevalence)
    return Point(
        category, threshold, recall, alarms, upper, precision, lower, hits + others * alarms, hits + others * upper
    )
