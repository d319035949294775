"""Ranking and calibration statistics with bootstrap intervals.

Recall at a false-positive rate uses the smallest threshold whose false-positive rate on the negatives is not above the
rate; a photo is positive where its score is *above* the threshold, so ties never help.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]
Statistic = Callable[[Scores, Flags], float]


def auroc(scores: Scores, positive: Flags) -> float:
    """Area under the ROC curve by ranks (Mann-Whitney, ties count one half); nan without both classes."""
    count, others = int(positive.sum()), int((~positive).sum())
    if count == 0 or others == 0:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2.0
    rank_sum = mean_rank[inverse][positive].sum()
    return float((rank_sum - count * (count + 1) / 2) / (count * others))


def threshold_at(scores: Scores, positive: Flags, rate: float) -> float:
    """The smallest threshold with at most ``rate`` of the negatives above it."""
    negatives = np.sort(scores[~positive])[::-1]
    allowed = int(np.floor(rate * len(negatives) + 1e-9))
    return float(negatives[allowed]) if allowed < len(negatives) else float("-inf")


def recall_at(rate: float) -> Statistic:
    """Recall at a false-positive rate, as a statistic of scores and flags."""

    def statistic(scores: Scores, positive: Flags) -> float:
        if not positive.any() or positive.all():
            return float("nan")
        return float((scores[positive] > threshold_at(scores, positive, rate)).mean())

    return statistic


def precision_at_prevalence(recall: float, false_positive_rate: float, prevalence: float) -> float:
    """Precision that a recall and a false-positive rate give where ``prevalence`` of the photos are positive."""
    hits, alarms = recall * prevalence, false_positive_rate * (1 - prevalence)
    return hits / (hits + alarms) if hits + alarms > 0 else float("nan")


def average_precision(scores: Scores, positive: Flags) -> float:
    """Area under the precision-recall curve as a step function, ties as one step; nan without positives."""
    if not positive.any():
        return float("nan")
    hits, drawn = steps(scores, positive)
    return float((hits / drawn * np.diff(hits, prepend=0)).sum() / hits[-1])


def steps(scores: Scores, positive: Flags) -> tuple[Scores, NDArray[np.int64]]:
    """How many positives, and how many photos, score at least as high as each of the scores, from the highest on."""
    _, step = np.unique(-scores, return_inverse=True)
    return np.cumsum(np.bincount(step, weights=positive)), np.cumsum(np.bincount(step))


def expected_calibration_error(probabilities: Scores, positive: Flags, bins: int = 15) -> float:
    """Mean gap between probability and frequency over ``bins`` groups of equal size (Nixon et al. 2019, adaptive).

    Photos of the same probability are alike, so that their order does not count where a group ends among them.
    """
    _, tied, counts = np.unique(probabilities, return_inverse=True, return_counts=True)
    frequency = (np.bincount(tied, weights=positive) / counts)[tied]
    order = np.argsort(probabilities, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [abs(probabilities[part].mean() - frequency[part].mean()) * len(part) for part in parts]
    return float(sum(gaps) / len(order))


def brier(probabilities: Scores, positive: Flags) -> float:
    """Mean squared difference between probability and outcome."""
    return float(np.mean((probabilities - positive) ** 2))


def bootstrap(
    statistic: Statistic, scores: Scores, positive: Flags, groups: Sequence[str], rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval; whole ``groups`` (instances) are resampled, positives and negatives apart.

    nan where that says nothing: with a single instance of either, or where every draw gives the same.
    """
    rng = np.random.default_rng(seed)
    _, codes = np.unique(np.asarray(groups), return_inverse=True)
    strata = [_Stratum.of(codes, positive), _Stratum.of(codes, ~positive)]
    if min(len(stratum.starts) for stratum in strata) < 2:
        return float("nan"), float("nan")
    values = []
    for _ in range(rounds):
        rows = np.concatenate([stratum.drawn(rng) for stratum in strata])
        values.append(statistic(scores[rows], positive[rows]))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return (float(low), float(high)) if low < high else (float("nan"), float("nan"))


def mean_interval(values: Scores, groups: Sequence[str], rounds: int) -> tuple[float, float]:
    """95 % percentile interval of a mean; whole ``groups`` (instances) are resampled; nan of a single one."""
    _, codes = np.unique(np.asarray(groups), return_inverse=True)
    sums, sizes = np.bincount(codes, values), np.bincount(codes)
    if len(sums) < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(0).integers(0, len(sums), (rounds, len(sums)))
    low, high = np.percentile(sums[drawn].sum(1) / sizes[drawn].sum(1), [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class _Stratum:
    """Photos ``rows``, those of an instance together; ``starts`` and ``sizes`` of the instances."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, codes: NDArray[np.int64], chosen: Flags) -> "_Stratum":
        rows = np.flatnonzero(chosen)
        ordered = rows[np.argsort(codes[rows], kind="stable")]
        _, starts, sizes = np.unique(codes[ordered], return_index=True, return_counts=True)
        return cls(ordered, starts, sizes)

    def drawn(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """The photos of as many instances as there are, drawn with replacement."""
        chosen = rng.integers(0, len(self.starts), len(self.starts))
        sizes = self.sizes[chosen]
        ends = np.cumsum(sizes)
        within = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
        photos: NDArray[np.int64] = self.rows[np.repeat(self.starts[chosen], sizes) + within]
        return photos
