import pytest
import torch

from training.fitting.kernel import WINDOWS
from training.fitting.network import Network
from training.fitting.refit import training_rows
from training.photos.manifest import Photo, select
from training.recipe import Kernel, Recipe

pytestmark = pytest.mark.training
BASE = {"levels": {"top": 1.0}, "weights": {"source-1": 0.5}}


@pytest.fixture
def train(photos: list[Photo]) -> list[Photo]:
    return select(photos, "train")


def _made(recipe: Recipe, photos: list[Photo], **table: object) -> tuple[list[float], list[int], torch.Tensor]:
    """Weights, photos and means of the rows beyond those of the photos; targets are those of the photos shown."""
    kernel = Kernel.model_validate(BASE | table)
    asked = recipe.model_copy(update={"size": 96, "kernel": kernel})
    rows, _ = training_rows(Network(asked).eval(), asked, photos)
    assert torch.equal(rows.targets, rows.targets[torch.from_numpy(rows.photo)])
    assert not torch.equal(rows.means[len(photos)], rows.means[rows.photo[len(photos)]])
    return rows.weights[len(photos) :].tolist(), rows.photo[len(photos) :].tolist(), rows.means[len(photos) :]


def test_a_collage_gives_a_row_for_each_quarter(recipe: Recipe, train: list[Photo]) -> None:
    weights, shown, _ = _made(recipe, train, collages=3, collage_weight=0.4)
    assert weights == [0.4] * 12
    assert all(train[i].source != "source-1" for i in shown)


def test_decorated_others_give_all_their_windows(recipe: Recipe, train: list[Photo]) -> None:
    weights, shown, means = _made(recipe, train, decorated=3, decorated_weight=0.3)
    assert weights == [0.3] * 3 * 2 * len(WINDOWS)
    assert len(set(shown)) == 3 and shown == sorted(shown, key=shown.index)
    assert all(train[i].source != "source-1" and not train[i].labels for i in shown)
    assert len(means.unique(dim=0)) > 3 * len(WINDOWS)


def test_decorated_products_give_the_whole_picture(recipe: Recipe, train: list[Photo]) -> None:
    weights, shown, _ = _made(recipe, train, decorated=1, decorated_product_weight=0.02)
    products = [i for i, photo in enumerate(train) if photo.labels and photo.source != "source-1"]
    assert weights == [0.1] * 2 * len(WINDOWS) + [0.02] * 2 * len(products)
    assert shown[2 * len(WINDOWS) :] == [i for i in products for _ in range(2)]
