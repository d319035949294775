"""The last step of training: interpolate the trunk with the pretrained one, and fit the head anew.

A few hundred product photos pull a fine-tuned trunk towards their few sources. Part of the way back to the pretrained
weights it keeps what both know (WiSE-FT, Wortsman et al. 2022), and a strongly regularised linear head on its mean
features uses every training photo once, with its real frequency. The head is a 1 x 1 convolution again, pooled by mean.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from training.dataset import EvaluationPhotos
from training.manifest import Photo
from training.network import Network, preprocessing
from training.recipe import Recipe

_ROUNDS = 300


def refit(network: Network, recipe: Recipe, photos: Sequence[Photo], workers: int = 1) -> tuple[Network, Recipe]:
    """A new network with interpolated trunk and refitted head, and the recipe that describes it (mean pooling).

    ``network``: the averaged network of a finished run. ``photos``: the training photos.
    """
    changed = recipe.model_copy(update={"pooling": "mean"})
    result = Network(changed).eval()
    interpolate(result, network, recipe.interpolation)
    features, targets = embed(result, recipe, photos, workers)
    weight, bias = fit_head(features, targets, recipe.head_strength)
    with torch.no_grad():
        result.head.weight.copy_(weight[:, :, None, None])
        assert result.head.bias is not None
        result.head.bias.copy_(bias)
    return result, changed


@torch.no_grad()
def interpolate(pretrained: Network, tuned: Network, share: float) -> None:
    """Move the trunk of ``pretrained`` towards that of ``tuned``, in place; ``share`` 1 makes them equal."""
    other = tuned.trunk.state_dict()
    for name, value in pretrained.trunk.state_dict().items():
        if value.dtype.is_floating_point:
            value.lerp_(other[name], share)


@torch.no_grad()
def embed(network: Network, recipe: Recipe, photos: Sequence[Photo], workers: int) -> tuple[Tensor, Tensor]:
    """Mean features ``[N, D]`` and targets ``[N, C]``, float64, through the service's preprocessing."""
    dataset = EvaluationPhotos(photos, tuple(recipe.categories), preprocessing(recipe, network))
    network.to(memory_format=torch.channels_last)
    features, targets = [], []
    for pixels, wanted in tqdm(DataLoader(dataset, 32, num_workers=workers), "embedding", unit="batch", mininterval=5):
        features.append(network.features(pixels).float().mean(dim=(2, 3)).double())
        targets.append(wanted.double())
    return torch.cat(features), torch.cat(targets)


def fit_head(features: Tensor, targets: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Logistic regression of each category on standardised ``features`` ``[N, D]``; weight ``[C, D]``, bias ``[C]``.

    Minimises ``strength * sum of losses + squared norm / 2``, so ``strength`` is scikit-learn's ``C``.
    """
    mean, deviation = features.mean(0), features.std(0) + 1e-3
    inputs = (features - mean) / deviation
    weight = torch.zeros(targets.shape[1], inputs.shape[1], dtype=torch.float64, requires_grad=True)
    rates = targets.mean(0).clamp(1e-5, 1 - 1e-5)
    bias = torch.log(rates / (1 - rates)).requires_grad_()
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_ROUNDS, history_size=20, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        losses = nn.functional.binary_cross_entropy_with_logits(inputs @ weight.T + bias, targets, reduction="sum")
        value = strength * losses + weight.square().sum() / 2
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    scaled = weight.detach() / deviation
    return scaled.float(), (bias.detach() - scaled @ mean).float()
