"""Platt scaling of each category's logit (Platt 1999, with his smoothed targets)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.contract import Calibration
from training.photos.manifest import ManifestError, Photo

SUPPORTED = 20
"""Positives from which a category is well supported, by its own photos."""
_PRIOR = 0.05
_LEAST_SLOPE = 0.05
_ROUNDS = 100
_STILL = 1e-8


def platt(logits: NDArray[np.float64], positive: NDArray[np.bool_], slope: float | None = None) -> tuple[float, float]:
    """Slope and bias of ``sigmoid(slope * logit + bias)`` by Newton's method; with ``slope`` given, only the bias.

    A weak prior keeps the slope near 1, so that separable data do not send it to infinity. It is not below 0.05.
    """
    count, others = int(positive.sum()), int((~positive).sum())
    goal = np.where(positive, (count + 1) / (count + 2), 1 / (others + 2))
    weights = np.array([1.0 if slope is None else slope, 0.0])
    free = [0, 1] if slope is None else [1]
    columns = np.stack([logits, np.ones_like(logits)], axis=1)
    for _ in range(_ROUNDS):
        p = 1 / (1 + np.exp(-np.clip(columns @ weights, -40, 40)))
        gradient = (columns.T @ (p - goal) + _PRIOR * (weights - [1.0, 0.0]))[free]
        hessian = (columns * (p * (1 - p))[:, None]).T @ columns + _PRIOR * np.eye(2)
        step = np.zeros(2)
        step[free] = np.linalg.solve(hessian[np.ix_(free, free)], gradient)
        least = _loss(columns, weights, goal)
        # far from the minimum a whole step of Newton's leads away from it (Lin, Lin, Weng 2007)
        while _loss(columns, weights - step, goal) > least and np.abs(step).max() > _STILL:
            step /= 2
        weights -= step
        if np.abs(step).max() < _STILL:
            break
    if slope is None and weights[0] < _LEAST_SLOPE:
        # the bias was fitted beside another slope
        return platt(logits, positive, _LEAST_SLOPE)
    return float(weights[0]), float(weights[1])


def _loss(columns: NDArray[np.float64], weights: NDArray[np.float64], goal: NDArray[np.float64]) -> float:
    """What :func:`platt` minimises: cross-entropy to ``goal``, and the prior."""
    found = columns @ weights
    return float((np.logaddexp(0, found) - goal * found).sum() + _PRIOR / 2 * ((weights - [1.0, 0.0]) ** 2).sum())


def calibrate(
    categories: Sequence[str], logits: NDArray[np.float64], positive: NDArray[np.bool_], where: str
) -> dict[str, Calibration]:
    """Calibration of each category from ``logits`` and ``positive``, both ``[N, C]``, of photos from ``where``.

    Categories with fewer than 20 positives share the slope of the well supported ones and one bias, fitted on all of
    them together: a handful of photos cannot carry two parameters each.
    """
    support = positive.sum(axis=0)
    own = [index for index in range(len(categories)) if support[index] >= SUPPORTED]
    rare = [index for index in range(len(categories)) if support[index] < SUPPORTED]
    fitted: dict[str, Calibration] = {}
    for index in own:
        slope, bias = platt(logits[:, index], positive[:, index])
        fitted[categories[index]] = _calibration(slope, bias, f"{where}, {support[index]} positives")
    if rare:
        shared = float(np.mean([1 / fitted[categories[index]].temperature for index in own])) if own else 1.0
        _, bias = platt(logits[:, rare].ravel(), positive[:, rare].ravel(), shared)
        note = f"{where}, pooled over {len(rare)} rare categories, {int(support[rare].sum())} positives"
        fitted.update({categories[index]: _calibration(shared, bias, note) for index in rare})
    return fitted


def check_calibration(categories: Sequence[str], photos: Sequence[Photo], where: str) -> None:
    """Raise :class:`ManifestError` where there are no ``photos``, or all of them show one of ``categories``."""
    if not photos:
        raise ManifestError(f"there are no photos in {where} to calibrate on")
    if shown := [category for category in categories if all(category in photo.labels for photo in photos)]:
        raise ManifestError(f"every photo of {where} shows {', '.join(shown)}: no threshold can be chosen")


def _calibration(slope: float, bias: float, note: str) -> Calibration:
    return Calibration(temperature=round(1 / slope, 6), bias=round(bias, 6), fitted_on=note)
