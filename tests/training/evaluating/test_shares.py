"""Shares and their intervals: against known values, at their ends, and by how often they hold the truth."""

import math

import numpy as np
import pytest

from training.evaluating.shares import Share, effective_size, precision_interval, share_of


# the Jeffreys interval by scipy.stats.beta.ppf([.025, .975], k + .5, n - k + .5), with 0 and 1 at the ends
@pytest.mark.parametrize(
    ("hits", "count", "expected"),
    [(0, 10, (0.0, 0.21719626750921053)), (10, 10, (0.7828037324907894, 1.0)), (3, 10, (0.09268, 0.60583)),
     (0, 1, (0.0, 0.8532)), (1, 1000, (0.00011, 0.00466))],
)  # fmt: skip
def test_known_intervals(hits: int, count: int, expected: tuple[float, float]) -> None:
    low, high = Share(hits / count, count).interval
    assert (low, high) == pytest.approx(expected, rel=0.03, abs=1e-4)
    assert (low == 0, high == 1) == (hits == 0, hits == count)


def test_photos_of_an_instance_count_as_one() -> None:
    flags = np.array([True] * 10 + [False] * 30)
    singles = [str(number) for number in range(40)]
    one = share_of(flags, singles)
    assert (one.value, one.size) == (0.25, 40)
    assert share_of(np.repeat(flags, 3), list(np.repeat(singles, 3))) == one
    assert effective_size(["a"] * 100) == 1
    assert effective_size(["a"] * 100 + [str(number) for number in range(100)]) == pytest.approx(200**2 / 10_100)


def test_no_photos_have_no_share() -> None:
    none = share_of(np.zeros(0, dtype=bool), [])
    assert math.isnan(none.value) and all(map(math.isnan, none.interval))
    assert all(map(math.isnan, precision_interval(Share(0.5, 10), none, 0.01)))
    assert all(map(math.isnan, precision_interval(none, Share(0.5, 10), 0.01)))


def test_no_false_positive_among_a_few_photos_leaves_precision_open() -> None:
    low, high = precision_interval(Share(0.8, 80), Share(0.0, 100), 0.01)
    assert low < 0.3 and high == 1.0
    better, _ = precision_interval(Share(0.8, 80), Share(0.0, 100_000), 0.01)
    assert better > 0.99
    assert precision_interval(Share(0.0, 80), Share(0.1, 100), 0.01)[0] == 0.0


@pytest.mark.parametrize(("positives", "negatives", "rates"), [(40, 1000, (0.8, 0.003)), (80, 2700, (0.6, 0.001))])
def test_intervals_hold_the_truth(positives: int, negatives: int, rates: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    truth = rates[0] * 0.01 / (rates[0] * 0.01 + rates[1] * 0.99)
    held = np.zeros(3)
    for _ in range(200):
        recall = Share(rng.binomial(positives, rates[0]) / positives, positives)
        alarms = Share(rng.binomial(negatives, rates[1]) / negatives, negatives)
        ends = recall.interval, alarms.interval, precision_interval(recall, alarms, 0.01)
        held += [low <= value <= high for (low, high), value in zip(ends, (*rates, truth), strict=True)]
    assert (held / 200 > 0.9).all(), held / 200


def test_recall_and_false_positives_are_drawn_apart() -> None:
    low, high = precision_interval(Share(0.5, 10), Share(0.5, 10), 0.5)
    assert low < 0.35 < 0.65 < high


def test_a_precision_of_nearly_one_is_not_certain() -> None:
    alarms = Share(0.0001, 100_000)
    low, high = precision_interval(Share(0.8, 80), alarms, 0.5)
    assert 0.999 < low < 0.8 / 0.8001 < high < 1.0
    assert 0.99 < Share(0.999, 1000).interval[0] < Share(0.999, 1000).interval[1] < 1.0
