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


def _made(recipe: Recipe, photos: list[Photo], count: int = 4, seed: int = 3) -> Decorated:
    return Decorated(photos, CATEGORIES, preprocessing(recipe, Network(recipe)), count, seed)


def test_photos_without_products_are_shown_in_every_way(recipe: Recipe, photos: list[Photo]) -> None:
    train = select(photos, "train")
    made = _made(recipe, train)
    assert len(made) == len(made.shown()) == 4 * len(WAYS)
    assert len(set(made.shown().tolist())) == 4 and not any(train[i].labels for i in made.shown())
    plain = EvaluationPhotos(train, CATEGORIES, made.rule)
    for position, photo in enumerate(made.shown()):
        pixels, targets = made[position]
        before = plain[int(photo)][0]
        assert pixels.shape == before.shape and pixels.dtype == torch.uint8 and not targets.any()
        assert not torch.equal(pixels, before)


def test_a_screenshot_leaves_the_middle_and_writing_most_of_the_photo(recipe: Recipe, photos: list[Photo]) -> None:
    train = select(photos, "train")
    made = _made(recipe, train, 8)
    plain = EvaluationPhotos(train, CATEGORIES, made.rule)
    same = []
    for position, photo in enumerate(made.shown()):
        change = np.abs(made[position][0].numpy().astype(int) - plain[int(photo)][0].numpy()).max(axis=2)
        same.append(float((change < 12).mean()))
    assert np.mean(same[1::2]) > 0.5 > np.mean(same[::2])


def test_they_repeat_by_seed(recipe: Recipe, photos: list[Photo]) -> None:
    train = select(photos, "train")
    one, again, other = _made(recipe, train), _made(recipe, train), _made(recipe, train, seed=4)
    assert all(torch.equal(one[i][0], again[i][0]) for i in range(len(one)))
    assert one.shown().tolist() != other.shown().tolist()
    few = [photo for photo in train if not photo.labels]
    assert sorted(_made(recipe, train, 100_000).chosen.tolist()) == [i for i, p in enumerate(train) if p in few]
    assert len(_made(recipe, [photo for photo in train if photo.labels])) == 0
