import numpy as np
import pytest
import torch

from training.manifest import Photo
from training.network import Network
from training.recipe import Recipe
from training.refit import fit_head, interpolate, refit


def test_fit_head_finds_the_direction() -> None:
    torch.manual_seed(0)
    features = torch.randn(400, 6, dtype=torch.float64) * 3 + 1
    targets = torch.stack([(features[:, 2] > 1).double(), (features[:, 4] < 1).double()], dim=1)
    weight, bias = fit_head(features, targets, 1.0)
    assert weight.shape == (2, 6)
    assert weight[0].argmax() == 2
    assert weight[1].argmin() == 4
    found = (features.float() @ weight.T + bias > 0).double()
    assert (found == targets).double().mean() > 0.97


def test_a_weak_head_says_how_frequent_a_category_is() -> None:
    torch.manual_seed(0)
    features = torch.randn(1000, 5, dtype=torch.float64)
    targets = (torch.arange(1000) % 10 == 0).double()[:, None]
    weight, bias = fit_head(features, targets, 1e-6)
    assert float(torch.sigmoid(features.float() @ weight.T + bias).mean()) == pytest.approx(0.1, abs=0.01)


def test_interpolation_is_between_the_two(recipe: Recipe) -> None:
    first, second = Network(recipe), Network(recipe)
    with torch.no_grad():
        for parameter in second.trunk.parameters():
            parameter.add_(1.0)
    before = next(first.trunk.parameters()).clone()
    interpolate(first, second, 0.25)
    assert torch.allclose(next(first.trunk.parameters()), before + 0.25, atol=1e-6)


def test_refit_changes_pooling_and_separates(recipe: Recipe, photos: list[Photo]) -> None:
    changed = recipe.model_copy(update={"head_strength": 1.0, "interpolation": 0.5})
    train = [photo for photo in photos if photo.split == "train"]
    network, described = refit(Network(changed), changed, train, workers=0)
    assert described.pooling == "mean"
    assert network.sharpness == 0.0
    scores = torch.zeros(1, 2, 3, 3)
    scores[0, 0, 1, 1] = 9.0
    assert np.allclose(network.pool(scores).numpy(), [[1.0, 0.0]])
