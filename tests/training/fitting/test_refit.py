import pytest
import torch

from training.fitting.network import Network
from training.fitting.refit import interpolate, photo_weights, refit, training_rows
from training.photos.manifest import Photo
from training.recipe import Kernel, Recipe, RecipeError

pytestmark = pytest.mark.training
KERNEL = Kernel.model_validate({"levels": {"blocks.4": 0.2, "top": 0.3}, "landmarks": 8, "size": 96, "collages": 4})


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
    network, described, scores = refit(Network(changed), changed, train)
    assert described.size == 96 and scores is None
    assert network.kernel is not None
    assert network.kernel.landmarks.shape == (8, sum(network.kernel.widths))
    assert network.kernel.landmarks.dtype == torch.float16
    with torch.inference_mode():
        logits, maps, embedding = network(torch.zeros(2, 96, 96, 3, dtype=torch.uint8))
    assert logits.shape == (2, 2)
    assert maps.shape == (2, 2, 3, 3)
    assert embedding.shape == (2, network.head.in_channels)


def test_refit_depends_on_nothing_that_was_drawn_before(recipe: Recipe, photos: list[Photo]) -> None:
    changed = recipe.model_copy(update={"kernel": KERNEL.model_copy(update={"collages": 0})})
    network = Network(changed)
    one, other = (refit(network, changed, photos[:8])[0].state_dict() for _ in range(2))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_level_that_the_trunk_lacks_is_an_error(recipe: Recipe, photos: list[Photo]) -> None:
    wrong = recipe.model_copy(update={"kernel": Kernel.model_validate({"levels": {"blocks.99": 1.0}})})
    with pytest.raises(RecipeError, match="has no"):
        refit(Network(wrong), wrong, photos[:4])


def test_weights_follow_source_and_product(photos: list[Photo]) -> None:
    kernel = Kernel.model_validate({"weights": {"source-1": 0.5, "source-1/product": 0.2, "source-2": 0.7}})
    found = photo_weights(photos, kernel).tolist()
    expected = {"source-1": 0.5, "source-2": 0.7}
    assert found == [0.2 if p.labels and p.source == "source-1" else expected.get(p.source, 1.0) for p in photos]


def test_the_middles_of_pictures_of_less_weight_are_rows_of_their_own(recipe: Recipe, photos: list[Photo]) -> None:
    some = [photo for photo in photos if photo.split == "train"]
    light = [number for number, photo in enumerate(some) if photo.source == "source-1"]
    assert 0 < len(light) < len(some)
    table = {"levels": {"top": 1.0}, "middles": True, "weights": {"source-1": 0.5}}
    asked = recipe.model_copy(update={"size": 96, "kernel": Kernel.model_validate(table)})
    rows, windows = training_rows(Network(asked).eval(), asked, some)
    assert rows.photo.tolist() == [*range(len(some)), *light]
    chosen = torch.tensor(light)
    assert torch.equal(rows.means[len(some) :], windows[chosen, 5])
    assert torch.equal(rows.targets[len(some) :], rows.targets[chosen]) and set(rows.weights[len(some) :].tolist()) == {
        0.5
    }
