"""Drift: whether scores, or the share of a category's findings, are not what they were.

Scores are compared by the population stability index over fixed bins, the sum of (p - q) ln(p / q); above 0.25 is the
usual mark of a large shift (Siddiqi 2006). Shares are compared by the two-proportion z-test and by their ratio, because
with millions of photos every difference is significant.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from service.statistics.intervals import Part
from service.store.tallies import BINS, Key

Alert = Literal["scores", "share"]
_SMOOTHING = 0.5
_LEAST = 200
_Z = 3.29
_RATIO = 1.5


@dataclass(frozen=True, slots=True)
class Shift:
    """A category, lately and before. ``psi``: None with too few photos; ``ratio``: of the shares, None without findings
    before. ``alerts``: ``scores``, ``share``, both or none."""

    category: str
    psi: float | None
    now: Part
    before: Part
    ratio: float | None
    alerts: tuple[Alert, ...]


def shifts(categories: Iterable[str], now: Counter[Key], before: Counter[Key], limit: float) -> list[Shift]:
    """Each category's shift between two counts of days. ``limit``: the index above which scores are told."""
    seen, seen_before = _photos(now), _photos(before)
    return [
        _shift(category, _parts(category, now, seen), _parts(category, before, seen_before), limit)
        for category in categories
    ]


def psi(now: list[int], before: list[int]) -> float | None:
    """The population stability index of two histograms; None when either is too small to say anything."""
    if min(sum(now), sum(before)) < _LEAST:
        return None
    total = 0.0
    for count, count_before in zip(now, before, strict=True):
        p = (count + _SMOOTHING) / (sum(now) + _SMOOTHING * len(now))
        q = (count_before + _SMOOTHING) / (sum(before) + _SMOOTHING * len(before))
        total += (p - q) * math.log(p / q)
    return total


def _shift(category: str, now: tuple[list[int], Part], before: tuple[list[int], Part], limit: float) -> Shift:
    (scores, found), (scores_before, found_before) = now, before
    index, ratio = psi(scores, scores_before), None
    if found_before.count and found.of:
        ratio = found.count / found.of / (found_before.count / found_before.of)
    told: dict[Alert, bool] = {"scores": index is not None and index > limit, "share": _moved(found, found_before)}
    return Shift(category, index, found, found_before, ratio, tuple(name for name, is_so in told.items() if is_so))


def _moved(now: Part, before: Part) -> bool:
    """Whether a share moved by more than chance and by more than half."""
    if min(now.of, before.of) < _LEAST:
        return False
    pooled = (now.count + before.count) / (now.of + before.of)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / now.of + 1 / before.of))
    p, q = now.count / now.of, before.count / before.of
    return spread > 0 and abs(p - q) / spread > _Z and not q / _RATIO <= p <= q * _RATIO


def _photos(counts: Counter[Key]) -> int:
    return sum(count for key, count in counts.items() if key.kind == "photo")


def _parts(category: str, counts: Counter[Key], seen: int) -> tuple[list[int], Part]:
    scores, found = [0] * BINS, 0
    for key, count in counts.items():
        if key.category == category and key.kind == "score":
            scores[key.bin] += count
        elif key.category == category and key.kind == "finding":
            found += count
    return scores, Part(found, seen)
