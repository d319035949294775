"""Shares of photos with 95 % intervals that hold where nothing, or everything, was seen, and where photos are few.

They lie between the 2.5th and 97.5th percentile of draws from the Jeffreys posterior
(:func:`service.statistics.intervals.jeffreys`); the lower end of 0 is 0, the upper end of 1 is 1. Photos of one
instance count as if they were all alike, so n is the effective number of photos (Kish 1965): the intervals are rather
too wide than too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.statistics.intervals import jeffreys
from training.evaluating.statistics import precision_at_prevalence

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Share:
    """``value``: of the photos; ``size``: their effective number, above 0."""

    value: float
    size: float

    @property
    def interval(self) -> Interval:
        """The 95 % interval; nan of no photos."""
        if np.isnan(self.value):
            return self.value, self.value
        low, high = np.percentile(self.draws(0), (2.5, 97.5))
        return (0.0 if self.value == 0 else float(low)), (1.0 if self.value == 1 else float(high))

    def draws(self, seed: int) -> NDArray[np.float64]:
        """Draws from the posterior."""
        return jeffreys(self.value * self.size, self.size, np.random.default_rng(seed))


def share_of(flags: NDArray[np.bool_], groups: Sequence[str]) -> Share:
    """The share of true ``flags``, whose photos belong to the instances ``groups``; of no photos nan."""
    if not len(flags):
        return Share(float("nan"), float("nan"))
    return Share(float(flags.mean()), effective_size(groups))


def effective_size(groups: Sequence[str]) -> float:
    """How many photos of different instances say as much as these, if photos of one instance are all alike."""
    _, sizes = np.unique(np.asarray(groups), return_counts=True)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def precision_interval(recall: Share, alarms: Share, prevalence: float) -> Interval:
    """Of the precision at ``prevalence``; nan without photos that show the category, or that do not."""
    if np.isnan(recall.value) or np.isnan(alarms.value):
        return float("nan"), float("nan")
    hits, wrong = recall.draws(0) * prevalence, alarms.draws(1) * (1 - prevalence)
    low, high = np.percentile(hits / (hits + wrong), (2.5, 97.5))
    value = precision_at_prevalence(recall.value, alarms.value, prevalence)
    return (0.0 if value == 0 else float(low)), (1.0 if value == 1 else float(high))
