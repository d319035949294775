import numpy as np
import pytest

from training.fitting.network import Network, preprocessing
from training.photos.manifest import Photo
from training.recipe import Recipe
from training.synthesis.collages import Collages

pytestmark = pytest.mark.training
CATEGORIES = ("ivory", "rhino_horn")


@pytest.fixture
def made(recipe: Recipe, photos: list[Photo]) -> Collages:
    train = [photo for photo in photos if photo.split == "train"]
    return Collages(train, CATEGORIES, preprocessing(recipe, Network(recipe)), 8, seed=3)


def test_every_other_collage_holds_one_product(made: Collages) -> None:
    shown = [made[i][1] for i in range(len(made))]
    assert [float(targets.sum()) for targets in shown] == [1, 0] * 4
    assert {int(targets.sum(1).argmax()) for targets in shown[::2]} != {0}
    shown_photos = [made.photos[int(index)] for index in made.tiles()]
    assert len(shown_photos) == 4 * len(made)
    products = [photo.file for photo in shown_photos if photo.labels]
    assert len(set(products)) == 4


def test_a_tile_is_where_its_target_says(made: Collages) -> None:
    for position in range(0, 8, 2):
        pixels, targets = made[position]
        side = pixels.shape[0] // 2
        quarters = [pixels[y : y + side, x : x + side] for y in (0, side) for x in (0, side)]
        # the products of the synthetic collection have a large cream patch
        cream = [float((np.abs(q.numpy().astype(int) - (250, 240, 210)).max(axis=2) < 12).mean()) for q in quarters]
        assert int(np.argmax(cream)) == int(targets.sum(1).argmax())


def test_collages_repeat_by_seed(made: Collages, recipe: Recipe, photos: list[Photo]) -> None:
    train = [photo for photo in photos if photo.split == "train"]
    rule = preprocessing(recipe, Network(recipe))
    assert Collages(train, CATEGORIES, rule, 8, seed=3).collages == made.collages
    assert Collages(train, CATEGORIES, rule, 8, seed=4).collages != made.collages
    assert len(Collages([photo for photo in train if photo.labels], CATEGORIES, rule, 8, seed=3)) == 0
