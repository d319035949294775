"""Which photos an epoch draws: products often enough to learn from, negatives balanced over their groups."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from training.photos.manifest import Photo
from training.recipe import Recipe


def draw_epoch(photos: Sequence[Photo], recipe: Recipe, epoch: int, hard: Sequence[int] = ()) -> list[int]:
    """Indices into ``photos`` for one epoch, in a random order that depends on seed, epoch and ``hard`` alone.

    ``hard``: negatives that make up the recipe's share ``mining`` of the negative draws (Shrivastava et al. 2016 mine
    within a batch; here once an epoch).
    """
    rng = np.random.default_rng((recipe.seed, epoch))
    weights = photo_weights(photos, recipe)
    products = np.array([bool(photo.labels) for photo in photos])
    wanted = round(recipe.epoch_size * recipe.product_share) if products.any() else 0
    mined = round((recipe.epoch_size - wanted) * recipe.mining) if len(hard) else 0
    chosen = np.isin(np.arange(len(photos)), np.asarray(hard, dtype=np.int64))
    drawn = [
        *_systematic(weights * products, wanted, rng),
        *_systematic(weights * ~products, recipe.epoch_size - wanted - mined, rng),
        *_systematic(chosen.astype(np.float64), mined, rng),
    ]
    return [int(index) for index in rng.permutation(np.array(drawn, dtype=np.int64))]


def photo_weights(photos: Sequence[Photo], recipe: Recipe) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Relative draw weight of each photo; products are balanced by category and source, negatives by group."""
    cells: dict[tuple[str, str], int] = defaultdict(int)
    for photo in photos:
        cells[_cell(photo)] += 1
    return np.array([_cell_weight(_cell(photo), cells[_cell(photo)], recipe) for photo in photos])


def _cell(photo: Photo) -> tuple[str, str]:
    return (photo.labels[0], photo.source) if photo.labels else ("", photo.group)


def _cell_weight(cell: tuple[str, str], count: int, recipe: Recipe) -> float:
    label, group = cell
    return count**recipe.rare_power / count if label else recipe.group_shares.get(group, 0.0) / count


def _systematic(
    weights: np.ndarray[tuple[int], np.dtype[np.float64]], count: int, rng: np.random.Generator
) -> list[int]:
    """Draw ``count`` indices in proportion to ``weights``; a photo comes at most once more than its fair share."""
    total = weights.sum()
    if count == 0 or total == 0:
        return []
    order = rng.permutation(len(weights))
    edges = np.cumsum(weights[order]) / total * count
    points = rng.random() + np.arange(count)
    return [int(order[index]) for index in np.searchsorted(edges, np.minimum(points, count * (1 - 1e-12)))]
