"""Thresholds at the operating points, chosen on the negatives among photos that the network was not fitted on.

A rate is the share of photos without the category that may score at or above the threshold. A rare category's rate is
lower, since a handful of positives cannot show that more is worth it; core categories get more than experimental ones.
Where the rate allows five negatives or more, they give the threshold; below, an exponential tail does that is fitted to
their highest logits (peaks over threshold: Davison & Smith 1990).
"""

import numpy as np
from numpy.typing import NDArray

from service.contract import Contract
from training.evaluating.statistics import threshold_at
from training.exporting.calibration import SUPPORTED

RATES = {"sensitive": 0.02, "review": 0.003, "priority": 0.001}
RARE_RATES = {
    "core": {"sensitive": 0.003, "review": 0.0005, "priority": 0.0001},
    "experimental": {"sensitive": 0.001, "review": 0.0001, "priority": 0.00005},
}
FLOOR = {"core": 0.005, "experimental": 0.01}
_CERTAIN = 0.5
_MARGIN = 1e-4
_TAIL, _LEAST_TAIL = 0.05, 10
_ENOUGH = 5


def choose_thresholds(
    contract: Contract, probabilities: NDArray[np.float64], positive: NDArray[np.bool_]
) -> dict[str, dict[str, float]]:
    """Thresholds by category and operating point from ``probabilities`` and ``positive``, both ``[N, C]``."""
    return {
        category.id: _points(probabilities[:, i], positive[:, i], category.maturity)
        for i, category in enumerate(contract.categories)
    }


def tail_threshold(scores: NDArray[np.float64], rate: float) -> float:
    """The probability that negatives with ``scores`` (probabilities) reach with ``rate``, by their exponential tail."""
    logits = np.log(np.clip(scores, 1e-9, 1 - 1e-9)) - np.log1p(-np.clip(scores, 1e-9, 1 - 1e-9))
    share = min(max(_TAIL, _LEAST_TAIL / len(logits)), 0.5)
    start = np.quantile(logits, 1 - share)
    above = logits[logits > start]
    excess = float((above - start).mean()) if len(above) else 0.0
    return float(1 / (1 + np.exp(-(start + excess * np.log(share / rate)))))


def _points(scores: NDArray[np.float64], positive: NDArray[np.bool_], maturity: str) -> dict[str, float]:
    floor = FLOOR[maturity]
    rates = RATES if positive.sum() >= SUPPORTED else RARE_RATES[maturity]
    found = {point: _threshold(scores, positive, rate) for point, rate in rates.items()}
    review = _within(found["review"], floor)
    return {
        "sensitive": min(_within(found["sensitive"], floor / 2), review),
        "review": review,
        "priority": max(_within(found["priority"], _CERTAIN), review),
    }


def _threshold(scores: NDArray[np.float64], positive: NDArray[np.bool_], rate: float) -> float:
    if rate * (~positive).sum() >= _ENOUGH:
        return threshold_at(scores, positive, rate)
    return tail_threshold(scores[~positive], rate)


def _within(threshold: float, floor: float) -> float:
    """Just above ``threshold``, but not below ``floor`` and below one."""
    return float(round(min(max(threshold * (1 + _MARGIN) + _MARGIN, floor), 0.9999), 5))
