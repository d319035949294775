"""Thresholds and their budgets of false alarms."""

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
