"""The last step of training: move the trunk back towards the pretrained one, and fit the kernel head on it.

A few hundred product photos pull a fine-tuned trunk towards their few sources. Part of the way back to the pretrained
weights it keeps what both know (WiSE-FT, Wortsman et al. 2022). The kernel head then uses every training photo once,
with its real frequency; see :mod:`training.kernel`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from training.dataset import EvaluationPhotos
from training.kernel import KernelHead
from training.manifest import Photo
from training.network import Network, preprocessing
from training.recipe import Kernel, Recipe


def refit(network: Network, recipe: Recipe, photos: Sequence[Photo], workers: int = 1) -> tuple[Network, Recipe]:
    """A new network with interpolated trunk and a kernel head, and the recipe that describes it (its size).

    ``network``: the averaged network of a finished run. ``photos``: the training photos. The recipe must have a
    ``kernel`` table.
    """
    assert recipe.kernel is not None
    changed = recipe.model_copy(update={"size": recipe.kernel.size or recipe.size})
    result = Network(changed).eval()
    interpolate(result, network, recipe.interpolation)
    head = kernel_head(result, recipe.kernel, min(recipe.kernel.landmarks, len(photos)))
    means, targets = embed(result, head.levels, changed, photos, workers)
    head.fit(means, targets, recipe.kernel.strength, recipe.seed)
    result.kernel = head
    return result, changed


def kernel_head(network: Network, kernel: Kernel, landmarks: int) -> KernelHead:
    """An unfitted kernel head that fits the trunk of ``network``."""
    with torch.no_grad():
        found = network.levels(torch.zeros(1, 64, 64, 3, dtype=torch.uint8), tuple(kernel.levels))
    widths = [found[name].shape[1] for name in kernel.levels]
    return KernelHead(kernel.levels, widths, landmarks, network.head.out_channels)


@torch.no_grad()
def interpolate(pretrained: Network, tuned: Network, share: float) -> None:
    """Move the trunk of ``pretrained`` towards that of ``tuned``, in place; ``share`` 1 makes them equal."""
    other = tuned.trunk.state_dict()
    for name, value in pretrained.trunk.state_dict().items():
        if value.dtype.is_floating_point:
            value.lerp_(other[name], share)


@torch.no_grad()
def embed(
    network: Network, levels: Sequence[str], recipe: Recipe, photos: Sequence[Photo], workers: int
) -> tuple[Tensor, Tensor]:
    """Mean features of ``levels`` side by side ``[N, D]`` and targets ``[N, C]``, float64.

    Photos come through the service's preprocessing.
    """
    dataset = EvaluationPhotos(photos, tuple(recipe.categories), preprocessing(recipe, network))
    network.to(memory_format=torch.channels_last)
    means, targets = [], []
    for pixels, wanted in tqdm(DataLoader(dataset, 32, num_workers=workers), "embedding", unit="batch", mininterval=5):
        found = network.levels(pixels, levels)
        means.append(torch.cat([found[name].float().mean(dim=(2, 3)) for name in levels], dim=1).double())
        targets.append(wanted.double())
    return torch.cat(means), torch.cat(targets)
