import numpy as np
import pytest
from PIL import Image

from training.recipe import Augmentation
from training.synthesis.augment import augment
from training.synthesis.screenshots import screenshot

RED = (200, 20, 20)


def _made(seed: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    return screenshot(Image.new("RGB", size, RED), np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(8))
def test_the_photo_is_whole_between_the_bars(seed: int) -> None:
    sheet = np.asarray(_made(seed))
    red = (sheet == RED).all(axis=(1, 2))
    assert sheet.shape[1] == 120
    assert red.sum() == 90
    assert red[np.argmax(red) :][:90].all()
    assert 0.44 <= 90 / len(sheet) <= 0.86


def test_there_are_light_and_dark_ones_with_things_on_them() -> None:
    grounds = set()
    for seed in range(20):
        sheet = _made(seed, (240, 200))
        colours = sheet.getcolors(100_000)
        assert colours is not None
        assert len(colours) > 3
        grounds |= {colour for _, colour in colours if colour in {(18, 18, 20), (250, 250, 250)}}
    assert len(grounds) == 2


def test_same_rng_same_screenshot() -> None:
    assert _made(3).tobytes() == _made(3).tobytes() != _made(4).tobytes()


def test_tiny_pictures_have_screenshots() -> None:
    assert _made(1, (16, 16)).width == 16


def test_the_recipe_decides() -> None:
    image = Image.new("RGB", (64, 64), RED)
    still = {name: 0.0 for name, field in Augmentation.model_fields.items() if field.annotation is float}
    for chance, plain in ((0.0, True), (1.0, False)):
        settings = Augmentation.model_validate({**still, "whole": 1.0, "screenshot": chance})
        made = augment(image, 64, settings, np.random.default_rng(0))
        assert (np.asarray(made) == RED).all() == plain


def test_crops_go_down_to_a_quarter() -> None:
    assert Augmentation.model_validate({}).crop_area[0] == 0.25
