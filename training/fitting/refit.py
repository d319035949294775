"""The last step of training: move the trunk back towards the pretrained one, and fit the kernel head on it.

A few hundred product photos pull a fine-tuned trunk towards their few sources. Part of the way back to the pretrained
weights it keeps what both know (WiSE-FT, Wortsman et al. 2022). The kernel head then uses every training photo once,
with its real frequency; see :mod:`training.fitting.kernel`.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from training.exporting.halves import rounded
from training.fitting.crossfit import OutOfFold, Rows, out_of_fold
from training.fitting.embedding import embed
from training.fitting.kernel import ALL, MIDDLE, WHOLE, KernelHead
from training.fitting.made_rows import made_rows
from training.fitting.network import Network, preprocessing
from training.photos.dataset import EvaluationPhotos
from training.photos.manifest import Photo
from training.recipe import Kernel, Recipe


def refit(network: Network, recipe: Recipe, photos: Sequence[Photo]) -> tuple[Network, Recipe, OutOfFold | None]:
    """A new network with interpolated trunk and a kernel head, the recipe that describes it (its size), and the scores
    of the photos of full weight out of their folds, where the recipe asks for folds.

    ``network``: the averaged network of a finished run. ``photos``: the training photos. The recipe must have a
    ``kernel`` table.
    """
    assert recipe.kernel is not None
    kernel = recipe.kernel
    changed = recipe.model_copy(update={"size": kernel.size or recipe.size})
    result = Network(changed).eval()
    result.head.load_state_dict(network.head.state_dict())
    interpolate(result, network, recipe.interpolation)
    rounded(result.trunk)
    rows, windows = training_rows(result, changed, photos)

    def fitted(some: Rows) -> KernelHead:
        head = kernel_head(result, kernel, min(kernel.landmarks, len(some.means)))
        head.fit(some.means, some.targets, some.weights, kernel.strength, recipe.seed)
        return head

    scores = out_of_fold(rows, windows, photos, kernel.folds, recipe.seed, fitted) if kernel.folds else None
    result.kernel = fitted(rows)
    return result, changed, scores


def kernel_head(network: Network, kernel: Kernel, landmarks: int) -> KernelHead:
    """An unfitted kernel head that fits the trunk of ``network``."""
    with torch.no_grad():
        found = network.levels(torch.zeros(1, 64, 64, 3, dtype=torch.uint8), tuple(kernel.levels))
    widths = [found[name].shape[1] for name in kernel.levels]
    return KernelHead(kernel.levels, widths, landmarks, network.head.out_channels)


def photo_weights(photos: Sequence[Photo], kernel: Kernel) -> Tensor:
    """Weight of each photo in the fit, float64 ``[N]``: its source's, 1 for sources that the recipe does not name."""

    def weight(photo: Photo) -> float:
        default = kernel.weights.get(photo.source, 1.0)
        return kernel.weights.get(f"{photo.source}/product", default) if photo.labels else default

    return torch.tensor([weight(photo) for photo in photos], dtype=torch.float64)


@torch.no_grad()
def interpolate(pretrained: Network, tuned: Network, share: float) -> None:
    """Move the trunk of ``pretrained`` towards that of ``tuned``, in place; ``share`` 1 makes them equal."""
    other = tuned.trunk.state_dict()
    for name, value in pretrained.trunk.state_dict().items():
        if value.dtype.is_floating_point:
            value.lerp_(other[name], share)


def training_rows(network: Network, recipe: Recipe, photos: Sequence[Photo]) -> tuple[Rows, Tensor]:
    """What the head is fitted to, and the mean features ``[P, W, D]`` of the photos' windows.

    A row for each photo, one for the middle of each photo of less weight where the recipe asks for it (rendered
    products lie there, seen from nearer), and those of :mod:`training.fitting.made_rows`. Windows: all of them where
    the recipe asks for folds or middles, otherwise the whole alone.
    """
    assert recipe.kernel is not None
    rule, levels = preprocessing(recipe, network), tuple(recipe.kernel.levels)
    weights = photo_weights(photos, recipe.kernel)
    asked = ALL if recipe.kernel.folds or recipe.kernel.middles else WHOLE
    windows, wanted = embed(network, levels, EvaluationPhotos(photos, tuple(recipe.categories), rule), asked)
    rows = Rows(windows[:, 0], wanted, weights, np.arange(len(photos)))
    lighter = np.flatnonzero(weights.numpy() < 1)
    if recipe.kernel.middles and len(lighter):
        some = torch.from_numpy(lighter)
        rows = rows.joined(Rows(windows[some, MIDDLE], wanted[some], weights[some], lighter))
    means = partial(embed, network, levels)
    for made in made_rows(means, recipe, rule, photos, np.flatnonzero(weights.numpy() == 1)):
        rows = rows.joined(made)
    return rows, windows
