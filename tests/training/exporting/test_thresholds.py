"""Thresholds and their budgets of false alarms."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.contract import Contract
from training.exporting.thresholds import FLOOR, RARE_RATES, RATES, choose_thresholds, tail_threshold

NEGATIVES = 4000
POSITIVES = 40
CATEGORIES = 4


def _contract(maturity: str = "core") -> Contract:
    plain = {"temperature": 1.0, "bias": 0.0, "fitted_on": "nothing"}
    category = {"maturity": maturity, "calibration": plain, "thresholds": {}, "support": {}}
    return Contract.model_validate({
        "name": "t", "created": "2025-01-01", "file": "t.onnx", "sha256": "0",
        "preprocessing": {"size": 64, "mean": (0, 0, 0), "std": (1, 1, 1)},
        "categories": [{"id": f"c{number}", **category} for number in range(CATEGORIES)],
        "selftest": {"file": "t.png", "probabilities": {}}, "val_prevalence": {}, "training": {},
    })  # fmt: skip


def _sample() -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Negatives with scores spread to 1 in every category apart, then 40 positives of each."""
    rng = np.random.default_rng(2)
    scores = rng.beta(1, 4, (NEGATIVES + POSITIVES * CATEGORIES, CATEGORIES))
    positive = np.zeros(scores.shape, dtype=bool)
    for index in range(CATEGORIES):
        rows = slice(NEGATIVES + index * POSITIVES, NEGATIVES + (index + 1) * POSITIVES)
        positive[rows, index] = True
        scores[rows, index] = rng.beta(6, 1, POSITIVES)
    return scores, positive


@pytest.mark.parametrize("point", ["sensitive", "review", "priority"])
def test_rates_hold_for_each_category(point: str) -> None:
    scores, positive = _sample()
    chosen = choose_thresholds(_contract(), scores, positive)
    for index, points in enumerate(chosen.values()):
        alarms = scores[~positive[:, index], index] >= points[point]
        assert alarms.mean() <= RATES[point] * (1 if RATES[point] * NEGATIVES >= 5 else 2)


@pytest.mark.parametrize("maturity", list(FLOOR))
def test_a_rare_category_gets_a_stricter_rate(maturity: str) -> None:
    scores, positive = _sample()
    positive[NEGATIVES + 10 : NEGATIVES + POSITIVES, 0] = False
    scores[NEGATIVES + 10 : NEGATIVES + POSITIVES, 0] = 0.0
    chosen = choose_thresholds(_contract(maturity), scores, positive)
    alarms = (scores[:, 0] >= chosen["c0"]["review"])[~positive[:, 0]].mean()
    assert alarms <= 2 * RARE_RATES[maturity]["review"] < RATES["review"]
    assert RARE_RATES["experimental"]["review"] < RARE_RATES["core"]["review"]


@pytest.mark.parametrize("rate", [0.01, 0.001, 0.0001])
def test_the_tail_reaches_beyond_the_photos_it_was_fitted_to(rate: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.exponential(0.8, 1200) - 6
    found = tail_threshold(1 / (1 + np.exp(-logits)), rate)
    true = -0.8 * np.log(rate) - 6
    assert np.log(found / (1 - found)) == pytest.approx(true, abs=1.0)


@pytest.mark.parametrize("count", [1, 5, 30])
def test_the_tail_of_a_few_photos_is_finite(count: int) -> None:
    scores = np.linspace(0.01, 0.02, count)
    assert 0 < tail_threshold(scores, 0.0001) < 1


def test_points_are_in_order_and_below_one() -> None:
    scores, positive = _sample()
    chosen = choose_thresholds(_contract(), scores, positive)
    assert list(chosen) == ["c0", "c1", "c2", "c3"]
    for points in chosen.values():
        assert 0 < points["sensitive"] <= points["review"] <= points["priority"] < 1


@pytest.mark.parametrize("maturity", list(FLOOR))
def test_thresholds_do_not_go_under_the_floor(maturity: str) -> None:
    scores, positive = _sample()
    scores = np.where(positive, scores, scores * 1e-4)
    chosen = choose_thresholds(_contract(maturity), scores, positive)
    assert {points["review"] for points in chosen.values()} == {FLOOR[maturity]}
    assert {points["sensitive"] for points in chosen.values()} == {FLOOR[maturity] / 2}
    assert {points["priority"] for points in chosen.values()} == {0.5}


def test_thresholds_stay_below_one() -> None:
    scores, positive = _sample()
    scores[:NEGATIVES] = 1.0
    chosen = choose_thresholds(_contract(), scores, positive)
    assert {points["review"] for points in chosen.values()} == {0.9999}


def _logits(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.log(scores / (1 - scores)))


@pytest.mark.parametrize(("count", "share"), [(4000, 0.05), (100, 0.1), (12, 0.5), (5, 0.5)])
def test_the_tail_is_that_of_the_highest_twentieth_or_ten_but_at_most_half(count: int, share: float) -> None:
    scores = np.random.default_rng(1).beta(1, 6, count)
    logits = _logits(scores)
    start = np.quantile(logits, 1 - share)
    expected = start + (logits[logits > start] - start).mean() * np.log(share / 0.001)
    assert _logits(np.array([tail_threshold(scores, 0.001)]))[0] == pytest.approx(expected)


def test_scores_at_the_ends_have_a_tail_too() -> None:
    assert 0.9999 < tail_threshold(np.array([0.0] * 6 + [1.0] * 6), 0.001) <= 1.0
    assert 0.0 < tail_threshold(np.zeros(12), 0.001) < 1e-8


def _of(negatives: NDArray[np.float64], positives: int, maturity: str = "core") -> dict[str, float]:
    """The points of ``c0``, whose positives all score 0.9999."""
    scores = np.concatenate([negatives, np.full(positives, 0.9999)])[:, None].repeat(CATEGORIES, 1)
    positive = (np.arange(len(scores)) >= len(negatives))[:, None].repeat(CATEGORIES, 1)
    return choose_thresholds(_contract(maturity), scores, positive)["c0"]


def test_twenty_positives_carry_a_category() -> None:
    negatives = np.random.default_rng(1).permutation(np.linspace(0.1, 0.9, 10_000))
    for positives, rates in ((20, RATES), (19, RARE_RATES["core"])):
        found = _of(negatives, positives)
        for point, rate in rates.items():
            if rate * len(negatives) >= 5:
                # the margin above the threshold hides the score beside it at most
                alarms = (negatives >= found[point]).sum()
                assert rate * len(negatives) - 3 <= alarms <= rate * len(negatives), (positives, point)


def test_rates_are_those_that_are_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "training.md").read_text(encoding="utf-8")
    for point, rate in RATES.items():
        cells = (rate, RARE_RATES["core"][point], RARE_RATES["experimental"][point])
        assert f"| `{point}` | {' | '.join(f'{100 * cell:g} %' for cell in cells)} |" in text
    floors = (
        "0.5 for `priority`, for `review` {core:g} (core) and {experimental:g} (experimental), for `sensitive` half"
    )
    assert floors.format(**FLOOR) in " ".join(text.split())


def test_a_threshold_lies_just_above_the_highest_score_that_may_not_reach_it() -> None:
    negatives = np.random.default_rng(1).permutation(np.linspace(0.1, 0.9, 10_000))
    highest = np.sort(negatives)[-31]
    assert _of(negatives, 40)["review"] == pytest.approx(1.0001 * highest + 0.0001, abs=6e-6)


def test_five_photos_give_a_threshold_and_four_a_tail() -> None:
    negatives = np.random.default_rng(3).beta(1, 2, 5000)
    exact, beyond = _of(negatives, 40)["priority"], _of(negatives[:4999], 40)["priority"]
    assert exact == pytest.approx(np.sort(negatives)[-6], abs=3e-4)
    assert beyond == pytest.approx(tail_threshold(negatives[:4999], 0.001), abs=3e-4)


def test_points_stay_in_order_where_tail_and_photos_disagree() -> None:
    low = np.random.default_rng(4).uniform(0.01, 0.02, 4000)
    low[:20] = 0.99
    assert tail_threshold(low, 0.001) < 0.98
    points = _of(low, 40)
    assert points["review"] > 0.99 and points["priority"] == points["review"]
    # of a rare category the photos give the point of the higher rate, and the tail that of the lower
    few = np.random.default_rng(4).uniform(0.01, 0.02, 2000)
    few[:7] = 0.99
    assert tail_threshold(few, RARE_RATES["core"]["review"]) < 0.5
    points = _of(few, 10)
    assert points["sensitive"] == points["review"] < 0.5
