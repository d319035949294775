"""What a draw of training is made of."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.photos.dataset import TrainingDraws
from training.photos.manifest import Photo
from training.recipe import Augmentation, Recipe

pytestmark = pytest.mark.training


def _plain(root: Path, name: str, colour: tuple[int, int, int], label: str, group: str) -> Photo:
    image = Image.new("RGB", (90, 90), (250, 250, 250))
    image.paste(colour, (30, 30, 60, 60))
    image.save(root / name)
    return Photo(root / name, name, "train", (label,) if label else (), group, group, name, "tests")


def test_no_product_is_put_behind_a_photo_without_one(tmp_path: Path, recipe: Recipe) -> None:
    """Nor beside it, in a collage, where there are no listings to take: it would be learnt as none."""
    product = _plain(tmp_path, "ivory.png", (255, 0, 0), "ivory", "product")
    Image.new("RGB", (90, 90), (255, 0, 0)).save(product.path)
    lookalike = _plain(tmp_path, "bone.png", (0, 0, 255), "", "lookalike")
    still = dict.fromkeys(Augmentation.model_fields.keys() - {"crop_area", "crop_aspect"}, 0.0)
    settings = Augmentation.model_validate({**still, "background": 1.0, "collage": 0.5})
    chosen = recipe.model_copy(update={"augmentation": settings})
    draws = TrainingDraws([*[product] * 9, lookalike], [9] * 40, chosen, 1)
    for position in range(40):
        pixels = np.asarray(draws[position][0]).astype(int)
        assert not ((pixels[..., 0] > 200) & (pixels[..., 1:].max(axis=-1) < 60)).any()
    alone = TrainingDraws([product], [0], chosen, 1)
    assert alone[0][0].shape == (64, 64, 3), "without any other, the ground is a colour"
