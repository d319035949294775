"""Rows for the kernel head's fit from pictures that are made of the training photos: collages, and decorated ones."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.contract import Preprocessing
from training.fitting.crossfit import Rows
from training.fitting.embedding import Pictures
from training.fitting.kernel import ALL, QUARTERS, WHOLE
from training.photos.manifest import Photo
from training.recipe import Recipe
from training.synthesis.collages import Collages
from training.synthesis.decorated import WAYS, Decorated

Means = Callable[[Pictures, slice], tuple[Tensor, Tensor]]
"""The mean features ``[N, W, D]`` of pictures over some windows, and their targets."""


def made_rows(
    means: Means, recipe: Recipe, rule: Preprocessing, photos: Sequence[Photo], full: NDArray[np.int64]
) -> Iterator[Rows]:
    """The rows that the recipe asks for, of the ``photos`` at the positions ``full``, those of full weight."""
    assert recipe.kernel is not None
    yield from _collage_rows(means, recipe, rule, photos, full)
    if recipe.kernel.decorated:
        yield from _decorated_rows(means, recipe, rule, photos, full)


def _collage_rows(
    means: Means, recipe: Recipe, rule: Preprocessing, photos: Sequence[Photo], full: NDArray[np.int64]
) -> Iterator[Rows]:
    """One for each quarter of the collages."""
    assert recipe.kernel is not None
    real = [photos[int(i)] for i in full]
    collages = Collages(real, tuple(recipe.categories), rule, recipe.kernel.collages, recipe.seed)
    if len(collages):
        quarters, shown = means(collages, QUARTERS)
        yield _rows(quarters, shown.flatten(0, 1), recipe.kernel.collage_weight, full[collages.tiles()])


def _decorated_rows(
    means: Means, recipe: Recipe, rule: Preprocessing, photos: Sequence[Photo], full: NDArray[np.int64]
) -> Iterator[Rows]:
    """One for each decorated product, and one for each window of the decorated others.

    Of the others all windows: the highest counts, and a quarter that a bar runs through is like none of a photo.
    """
    assert recipe.kernel is not None
    kernel, shows = recipe.kernel, np.array([bool(photos[int(i)].labels) for i in full], dtype=np.bool_)
    others = np.random.default_rng(recipe.seed).permutation(full[~shows])[: kernel.decorated]
    for chosen, asked, weight in (
        (others, ALL, kernel.decorated_weight),
        (full[shows], WHOLE, kernel.decorated_product_weight),
    ):
        if len(chosen) and weight:
            some = [photos[int(i)] for i in chosen]
            found, wanted = means(Decorated(some, tuple(recipe.categories), rule, recipe.seed), asked)
            windows = found.shape[1]
            yield _rows(found, wanted.repeat_interleave(windows, 0), weight, chosen.repeat(len(WAYS) * windows))


def _rows(means: Tensor, targets: Tensor, weight: float, photo: NDArray[np.int64]) -> Rows:
    return Rows(means.flatten(0, 1), targets, torch.full((len(photo),), weight, dtype=torch.float64), photo)
