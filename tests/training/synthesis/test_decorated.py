import numpy as np
import pytest
import torch

from training.fitting.network import Network, preprocessing
from training.photos.dataset import EvaluationPhotos
from training.photos.manifest import Photo, select
from training.recipe import Recipe
from training.synthesis.decorated import WAYS, Decorated

pytestmark = pytest.mark.training
CATEGORIES = ("ivory", "rhino_horn")


@pytest.fixture
def train(photos: list[Photo]) -> list[Photo]:
    return select(photos, "train")[:8]


def _made(recipe: Recipe, photos: list[Photo], seed: int = 3) -> Decorated:
    return Decorated(photos, CATEGORIES, preprocessing(recipe, Network(recipe)), seed)


def test_every_photo_is_shown_in_every_way(recipe: Recipe, train: list[Photo]) -> None:
    made = _made(recipe, train)
    plain = EvaluationPhotos(train, CATEGORIES, made.rule)
    assert len(made) == len(train) * len(WAYS)
    for position in range(len(made)):
        pixels, targets = made[position]
        before, wanted = plain[position // len(WAYS)]
        assert pixels.shape == before.shape and pixels.dtype == torch.uint8
        assert torch.equal(targets, wanted) and not torch.equal(pixels, before)


def test_a_screenshot_moves_the_photo_and_writing_leaves_most_of_it(recipe: Recipe, train: list[Photo]) -> None:
    made = _made(recipe, train)
    plain = EvaluationPhotos(train, CATEGORIES, made.rule)
    same = []
    for position in range(len(made)):
        before = plain[position // len(WAYS)][0].numpy()
        change = np.abs(made[position][0].numpy().astype(int) - before).max(axis=2)
        same.append(float((change < 12).mean()))
    assert np.mean(same[1::2]) > 0.5 > np.mean(same[::2])


def test_they_repeat_by_seed(recipe: Recipe, train: list[Photo]) -> None:
    one, again, other = _made(recipe, train), _made(recipe, train), _made(recipe, train, seed=4)
    assert all(torch.equal(one[i][0], again[i][0]) for i in range(len(one)))
    assert not any(torch.equal(one[i][0], other[i][0]) for i in range(len(one)))
