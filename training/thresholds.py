"""Thresholds at the operating points, chosen on the negatives of the val split.

A rate is the share of photos without the category that score at or above the threshold. The ``review`` rates shrink
(those of rare categories first) until findings of *any* category stay within the budget of each group of negatives.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.contract import Contract
from training.statistics import threshold_at

SUPPORTED = 20
RATES = {"sensitive": 0.02, "review": 0.006, "priority": 0.001}
RARE_RATES = {"sensitive": 0.005, "review": 0.0016, "priority": 0.0008}
FLOOR = {"core": 0.005, "experimental": 0.01}
BUDGET = {"listing": 0.007, "live_animal": 0.012}
_MARGIN = 1e-4


def choose_thresholds(
    contract: Contract, probabilities: NDArray[np.float64], positive: NDArray[np.bool_], groups: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Thresholds by category and operating point from val ``probabilities`` and ``positive``, both ``[N, C]``."""
    shrink = 1.0
    while True:
        chosen = [
            _points(probabilities[:, i], positive[:, i], FLOOR[category.maturity], shrink)
            for i, category in enumerate(contract.categories)
        ]
        review = np.array([points["review"] for points in chosen])
        flagged: NDArray[np.bool_] = np.any(probabilities >= review, axis=1)
        if shrink < 1e-6 or _within_budget(flagged, groups):
            return dict(zip(contract.ids, chosen, strict=True))
        shrink *= 0.85


def _within_budget(flagged: NDArray[np.bool_], groups: Sequence[str]) -> bool:
    names = np.asarray(groups)
    return all(flagged[names == group].mean() <= budget for group, budget in BUDGET.items() if (names == group).any())


def _points(scores: NDArray[np.float64], positive: NDArray[np.bool_], floor: float, shrink: float) -> dict[str, float]:
    supported = positive.sum() >= SUPPORTED
    rates = RATES if supported else RARE_RATES
    review = _threshold(scores, positive, rates["review"] * (shrink**0.25 if supported else shrink), floor)
    sensitive = _threshold(scores, positive, rates["sensitive"], floor / 2)
    priority = _threshold(scores, positive, rates["priority"], 0.5)
    return {"sensitive": min(sensitive, review), "review": review, "priority": max(priority, review)}


def _threshold(scores: NDArray[np.float64], positive: NDArray[np.bool_], rate: float, floor: float) -> float:
    just_above = threshold_at(scores, positive, rate) * (1 + _MARGIN) + _MARGIN
    return float(round(min(max(just_above, floor), 0.9999), 5))
