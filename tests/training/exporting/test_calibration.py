"""Platt scaling."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from training.evaluating.statistics import expected_calibration_error
from training.exporting.calibration import SUPPORTED, calibrate, platt


def _sample(slope: float, bias: float, count: int = 6000) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rng = np.random.default_rng(7)
    logits = rng.normal(0, 2, count)
    return logits, rng.random(count) < 1 / (1 + np.exp(-(slope * logits + bias)))


@pytest.mark.parametrize(("slope", "bias"), [(1.0, 0.0), (1.7, -0.8), (0.5, 1.0)])
def test_finds_the_slope_and_bias_of_a_logistic_sample(slope: float, bias: float) -> None:
    found = platt(*_sample(slope, bias))
    assert found == pytest.approx((slope, bias), abs=0.12)


def test_calibrated_probabilities_match_frequencies() -> None:
    logits, positive = _sample(0.4, 1.5)
    slope, bias = platt(logits, positive)
    calibrated = 1 / (1 + np.exp(-(slope * logits + bias)))
    before = expected_calibration_error(1 / (1 + np.exp(-logits)), positive)
    after = expected_calibration_error(calibrated, positive)
    assert after < 0.03 < before


def test_a_given_slope_stays_and_the_bias_fits() -> None:
    slope, bias = platt(*_sample(1.0, -1.0), slope=1.0)
    assert slope == 1.0
    assert bias == pytest.approx(-1.0, abs=0.12)


def test_targets_are_smoothed_by_the_count_of_their_class() -> None:
    _, bias = platt(np.zeros(4), np.arange(4) < 3, slope=1.0)
    assert 4 / (1 + math.exp(-bias)) + 0.05 * bias == pytest.approx(3 * 4 / 5 + 1 / 3), "three of four, one of three"


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0, 30.0])
def test_slope_stays_finite_on_separable_data(scale: float) -> None:
    logits = np.repeat([-scale, scale], 50)
    slope, bias = platt(logits, logits > 0)
    assert 0.05 <= slope < 100
    assert math.isfinite(bias)
    assert abs(bias) < 5


@pytest.mark.parametrize("count", [0, 30])
def test_one_class_alone_gives_finite_values(count: int) -> None:
    logits = np.linspace(-6, -2, 30)
    slope, bias = platt(logits, np.arange(30) < count)
    assert math.isfinite(slope)
    assert math.isfinite(bias)


def test_slope_is_never_negative() -> None:
    logits, positive = _sample(-1.0, 0.0)
    assert platt(logits, positive)[0] == 0.05


def test_categories_fit_apart_and_rare_ones_share() -> None:
    logits, positive = _sample(1.7, -0.8)
    few = np.zeros_like(positive)
    few[np.flatnonzero(positive)[: SUPPORTED - 1]] = True
    fitted = calibrate(
        ["many", "few", "none"], np.stack([logits] * 3, 1), np.stack([positive, few, few & False], 1), "val"
    )
    assert 1 / fitted["many"].temperature == pytest.approx(1.7, abs=0.12)
    assert fitted["few"].temperature == pytest.approx(fitted["many"].temperature, abs=1e-5)
    assert fitted["few"] == fitted["none"]
    assert fitted["few"].bias < fitted["many"].bias - 1
    _, bias = platt(np.tile(logits, 2), np.concatenate([few, few & False]), 1 / fitted["many"].temperature)
    assert fitted["few"].bias == pytest.approx(bias, abs=1e-4), "beside the slope that they share"
    assert fitted["few"].fitted_on == f"val, pooled over 2 rare categories, {SUPPORTED - 1} positives"


def test_only_rare_categories_keep_the_plain_slope() -> None:
    logits = np.linspace(-4, 1, 40)[:, None]
    fitted = calibrate(["few"], logits, logits > 0.5, "val")
    assert fitted["few"].temperature == 1.0


def test_without_evidence_the_slope_stays_one() -> None:
    slope, bias = platt(np.zeros(4), np.array([True, True, False, False]))
    assert slope == pytest.approx(1.0)
    assert bias == pytest.approx(0.0)


def test_twenty_positives_carry_a_slope_of_their_own() -> None:
    logits, positive = _sample(1.7, -0.8)
    for count, own in ((20, True), (19, False)):
        few = np.zeros_like(positive)
        few[np.flatnonzero(positive)[:count]] = True
        fitted = calibrate(["few"], logits[:, None], few[:, None], "val")["few"]
        assert (fitted.fitted_on == "val, 20 positives") == own
        assert (fitted.temperature == 1.0) != own


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("mean", "spread", "rise", "share"), [(-12, 0.3, 1.2, 0.1), (-8, 0.3, 0.6, 0.1), (-5, 4, -2, 0.02)]
)
def test_what_is_found_is_the_minimum(mean: float, spread: float, rise: float, share: float, seed: int) -> None:
    """Of logits that lie close together, and far from what they should be: whole steps of Newton's do not get there."""
    rng = np.random.default_rng(seed)
    positive = rng.random(2000) < share
    logits = rng.normal(mean, spread, 2000) + rise * positive
    goal = np.where(positive, (positive.sum() + 1) / (positive.sum() + 2), 1 / ((~positive).sum() + 2))
    slope, bias = platt(logits, positive)
    found = 1 / (1 + np.exp(-(slope * logits + bias)))
    assert abs((found - goal).sum() + 0.05 * bias) < 1e-4, "the bias fits the slope"
    rising = float(((found - goal) * logits).sum() + 0.05 * (slope - 1))
    assert abs(rising) < 1e-4 or (slope == 0.05 and rising > 0)
