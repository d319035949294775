import pytest
import torch

from training.fitting.embedding import embed
from training.fitting.kernel import QUARTERS, window_means
from training.fitting.network import Network, preprocessing
from training.photos.dataset import EvaluationPhotos
from training.photos.manifest import Photo
from training.recipe import Recipe

pytestmark = pytest.mark.training
LEVELS = ("blocks.4", "top")


def test_it_gives_what_torch_gives(recipe: Recipe, photos: list[Photo]) -> None:
    network = Network(recipe).eval()
    pictures = EvaluationPhotos(photos[:5], tuple(recipe.categories), preprocessing(recipe, network))
    means, targets = embed(network, LEVELS, pictures, QUARTERS)
    with torch.no_grad():
        found = network.levels(torch.stack([pictures[i][0] for i in range(5)]), LEVELS)
    expected = window_means([found[name] for name in LEVELS])[:, QUARTERS].double()
    torch.testing.assert_close(means, expected, atol=1e-4, rtol=1e-4)
    assert torch.equal(targets, torch.stack([pictures[i][1] for i in range(5)]).double())


def test_a_level_that_the_trunk_lacks_is_an_error(recipe: Recipe, photos: list[Photo]) -> None:
    network = Network(recipe).eval()
    pictures = EvaluationPhotos(photos[:1], tuple(recipe.categories), preprocessing(recipe, network))
    with pytest.raises(AttributeError):
        embed(network, ("blocks.99",), pictures, QUARTERS)
