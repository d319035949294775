"""Shares, recall and falls with 95 % intervals.

A share has Wilson's score interval (Wilson 1927). What is made of several shares has the interval between the 2.5th and
97.5th percentile of draws from their Jeffreys posteriors, Beta(k + 1/2, n - k + 1/2) (Brown, Cai, DasGupta 2001, on
both). Both take photos for independent of each other, which photos of one listing are not.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Z = 1.959963984540054
_DRAWS = 20_000
_KEPT = 32
Draws = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number between 0 and 1, or a fall (at most 1), with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Part:
    """``count`` of ``of``."""

    count: int
    of: int


def share(part: Part) -> Estimate | None:
    """A share by Wilson's interval; None of nothing."""
    if part.of == 0:
        return None
    n, p = part.of, part.count / part.of
    centre = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return Estimate(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)))


def recall(seen: int, flagged: int, right: Part, missed: Part) -> Estimate | None:
    """The share of products that were flagged.

    ``right``: of the flagged photos that were decided, those that were confirmed; ``missed``: the same of a random
    sample of the others. None without decisions of both; where nothing was flagged, the sample alone says it.
    """
    if missed.of == 0 or _undecided(flagged, right):
        return None
    found = flagged * _drawn(right.count, right.of, 0)
    lost = (seen - flagged) * _drawn(missed.count, missed.of, 1)
    total = flagged * _rate(right) + (seen - flagged) * _rate(missed)
    if total == 0:
        return None
    return _estimate(flagged * _rate(right) / total, found / (found + lost))


def fall(flagged: Part, right: Part, flagged_before: Part, right_before: Part) -> Estimate | None:
    """How far the share of confirmed products among all photos fell, 1 minus now over then; negative: it rose.

    ``flagged``: of all photos; ``right``: of the flagged ones that were decided. None where nothing was decided, or
    nothing was confirmed then. Where nothing was flagged now, nothing is left to decide: it fell as far as it can.
    """
    if 0 in (flagged.of, flagged_before.count, right_before.count) or _undecided(flagged.count, right):
        return None
    random = np.random.default_rng(0)
    now, then = (
        jeffreys(of_all.count, of_all.of, random) * jeffreys(of_flagged.count, of_flagged.of, random)
        for of_all, of_flagged in ((flagged, right), (flagged_before, right_before))
    )
    value = flagged.count / flagged.of * _rate(right)
    before = flagged_before.count / flagged_before.of * right_before.count / right_before.of
    return _estimate(1 - value / before, 1 - now / then)


def _undecided(flagged: int, right: Part) -> bool:
    """Whether photos wait of which nothing is known."""
    return flagged > 0 and right.of == 0


def _rate(part: Part) -> float:
    return part.count / part.of if part.of else 0.0


def jeffreys(count: float, of: float, random: np.random.Generator) -> Draws:
    """Draws from the posterior of the share of which ``count`` of ``of`` were seen; both may be effective numbers."""
    return random.beta(count + 0.5, of - count + 0.5, _DRAWS)


@functools.lru_cache(_KEPT)
def _drawn(count: int, of: int, seed: int) -> Draws:
    """The same draws each time: the lines of a report that share a sample need not draw it anew."""
    draws = jeffreys(count, of, np.random.default_rng(seed))
    draws.flags.writeable = False
    return draws


def _estimate(value: float, draws: Draws) -> Estimate:
    # sorted first, percentiles take a quarter of the time
    low, high = np.interp((0.025 * (_DRAWS - 1), 0.975 * (_DRAWS - 1)), np.arange(_DRAWS), np.sort(draws))
    # at none or all of a share the posterior leaves the value itself out
    return Estimate(float(value), min(float(low), value), max(float(high), value))
