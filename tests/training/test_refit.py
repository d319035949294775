from pathlib import Path

import pytest
import torch

from training.manifest import Photo
from training.network import Network
from training.recipe import Kernel, Recipe
from training.refit import interpolate, refit
from training.trainer import FINAL, Hardware, Trainer, load_network

pytestmark = pytest.mark.training
CPU = Hardware(torch.device("cpu"), half=False, workers=0)
KERNEL = Kernel.model_validate({"levels": {"blocks.4": 0.2, "top": 0.3}, "landmarks": 8, "size": 96})


def test_interpolation_is_between_the_two(recipe: Recipe) -> None:
    first, second = Network(recipe), Network(recipe)
    with torch.no_grad():
        for parameter in second.trunk.parameters():
            parameter.add_(1.0)
    before = next(first.trunk.parameters()).clone()
    interpolate(first, second, 0.25)
    assert torch.allclose(next(first.trunk.parameters()), before + 0.25, atol=1e-6)


def test_refit_knows_the_photos_it_keeps(recipe: Recipe, photos: list[Photo]) -> None:
    changed = recipe.model_copy(update={"kernel": KERNEL, "interpolation": 0.5})
    train = [photo for photo in photos if photo.split == "train"]
    network, described = refit(Network(changed), changed, train, workers=0)
    assert described.size == 96
    assert network.kernel is not None
    assert network.kernel.landmarks.shape == (8, sum(network.kernel.widths))
    assert network.kernel.landmarks.dtype == torch.float16
    with torch.inference_mode():
        logits, maps, embedding = network(torch.zeros(2, 96, 96, 3, dtype=torch.uint8))
    assert logits.shape == (2, 2)
    assert maps.shape == (2, 2, 6, 6)
    assert embedding.shape == (2, network.head.in_channels)


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_run_ends_with_the_kernel_head(recipe: Recipe, photos: list[Photo], tmp_path: Path, epochs: int) -> None:
    changed = recipe.model_copy(update={"kernel": KERNEL, "epochs": epochs})
    path = Trainer(changed, photos, tmp_path, CPU).fit()
    assert path == tmp_path / FINAL
    network, described = load_network(path)
    again, _ = load_network(Trainer(changed, photos, tmp_path, CPU).fit())
    pixels = torch.randint(0, 256, (1, described.size, described.size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        torch.testing.assert_close(network(pixels)[0], again(pixels)[0])
        assert network(pixels)[0].abs().max() > 0


def test_a_level_that_the_trunk_lacks_is_an_error(recipe: Recipe, photos: list[Photo]) -> None:
    wrong = recipe.model_copy(update={"kernel": Kernel.model_validate({"levels": {"blocks.99": 1.0}})})
    with pytest.raises(AttributeError):
        refit(Network(wrong), wrong, photos[:4], workers=0)
