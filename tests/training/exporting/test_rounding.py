"""Rounded weights change the output less than weights rounded one by one."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.exporting.moments import Moments
from training.exporting.rounding import round_weights

pytestmark = pytest.mark.training
GENERATOR = np.random.default_rng(1)


def moments(inputs: NDArray[np.float64]) -> Moments:
    """Of ``inputs`` ``[G, N, K]``."""
    mean = inputs.mean(1)
    central = inputs - mean[:, None]
    return Moments(mean, central.transpose(0, 2, 1) @ central / inputs.shape[1])


def inputs(groups: int, size: int) -> NDArray[np.float64]:
    """Positive and going together, as features behind a rectifier are: ``[G, 4000, K]``."""
    mixed = GENERATOR.normal(size=(groups, 4000, size)) @ GENERATOR.normal(size=(groups, size, size))
    return np.maximum(mixed + 2, 0)


@pytest.mark.parametrize(("shape", "groups"), [((8, 20, 1, 1), 1), ((6, 1, 3, 3), 6)], ids=["pointwise", "depthwise"])
def test_outputs_change_less_than_by_plain_rounding(shape: tuple[int, ...], groups: int) -> None:
    weights = GENERATOR.normal(size=shape).astype(np.float32)
    size = int(np.prod(shape[1:]))
    given = inputs(groups, size)
    rounded = round_weights(weights, moments(given), 15, np.zeros(len(weights)))
    flat = weights.reshape(groups, -1, size).astype(np.float64)
    scale = (np.abs(flat).max(2) / 15)[:, :, None]
    ours = rounded.steps.reshape(flat.shape) * rounded.scale.reshape(groups, -1, 1)
    wanted, plain = given @ flat.transpose(0, 2, 1), given @ (np.round(flat / scale) * scale).transpose(0, 2, 1)
    found = given @ ours.transpose(0, 2, 1) + rounded.shift.reshape(groups, 1, -1)
    assert np.square(found - wanted).mean() < 0.5 * np.square(plain - wanted).mean()
    np.testing.assert_allclose(found.mean(1), wanted.mean(1), atol=1e-6)


def test_steps_stay_within_the_largest_and_scales_follow_each_channel() -> None:
    weights = GENERATOR.normal(size=(5, 12)).astype(np.float32) * np.array([[1], [10], [0.1], [1], [1]], np.float32)
    rounded = round_weights(weights, moments(inputs(1, 12)), 63, np.array([0, 0, 0, 0, 1.0]))
    assert rounded.steps.dtype == np.int8 and np.abs(rounded.steps).max() <= 63
    np.testing.assert_allclose(rounded.scale[:4], np.abs(weights[:4]).max(1) / 63, rtol=1e-6)
    assert rounded.scale[4] == 1


def test_inputs_that_never_vary_and_weights_of_nothing() -> None:
    still = Moments(np.ones((1, 3)), np.zeros((1, 3, 3)))
    rounded = round_weights(np.array([[0.5, -0.25, 1.0], [0, 0, 0]], np.float32), still, 63, np.zeros(2))
    assert np.isfinite(rounded.shift).all() and not rounded.steps[1].any()
    # nothing varies, so the bias makes up for all of it
    assert rounded.steps[0] @ np.ones(3) * rounded.scale[0] + rounded.shift[0] == pytest.approx(1.25)
