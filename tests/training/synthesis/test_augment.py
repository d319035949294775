"""Augmentations on synthetic pictures."""

import numpy as np
import pytest
from PIL import Image

from training.recipe import Augmentation
from training.synthesis.augment import augment, overlay, plain_background, replace_background

OBJECT = (150, 60, 30)
NOTHING = {
    name: 0.0
    for name, field in Augmentation.model_fields.items()
    if not name.startswith("crop_") and field.annotation is float
}


def _busy(width: int = 90, height: int = 70) -> Image.Image:
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, (height, width, 3)).astype(np.uint8))


def _product() -> Image.Image:
    image = Image.new("RGB", (120, 100), (245, 245, 245))
    image.paste(OBJECT, (35, 30, 85, 70))
    return image


def _same(one: Image.Image, other: Image.Image) -> bool:
    return np.array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("shape", [(90, 70), (20, 200), (17, 17)])
def test_output_has_the_asked_size(size: int, shape: tuple[int, int]) -> None:
    for seed in range(8):
        made = augment(_busy(*shape), size, Augmentation.model_validate({}), np.random.default_rng(seed))
        assert made.size == (size, size)
        assert made.mode == "RGB"


@pytest.mark.parametrize("name", NOTHING)
def test_every_augmentation_gives_the_asked_size_when_certain(name: str) -> None:
    settings = Augmentation.model_validate({**NOTHING, name: 1.0})
    assert augment(_product(), 48, settings, np.random.default_rng(0)).size == (48, 48)


def test_same_rng_gives_the_same_picture() -> None:
    settings = Augmentation.model_validate({})
    for seed in range(10):
        one, other = (augment(_product(), 64, settings, np.random.default_rng(seed), lambda _: _busy()) for _ in "ab")
        assert _same(one, other)


def test_other_seeds_give_other_pictures() -> None:
    settings = Augmentation.model_validate({})
    made = {augment(_product(), 64, settings, np.random.default_rng(seed)).tobytes() for seed in range(10)}
    assert len(made) == 10


def test_without_any_augmentation_the_picture_is_only_resized() -> None:
    settings = Augmentation.model_validate({**NOTHING, "whole": 1.0})
    made = augment(_busy(), 64, settings, np.random.default_rng(0))
    assert _same(made, _busy().resize((64, 64), Image.Resampling.BILINEAR))


@pytest.mark.parametrize("seed", range(6))
def test_new_background_leaves_the_object(seed: int) -> None:
    before = _product()
    after = np.asarray(replace_background(before, np.random.default_rng(seed), lambda _: _busy()))
    assert (after[40:60, 45:75] == OBJECT).all()
    assert not np.array_equal(after[:10], np.asarray(before)[:10])


def test_new_background_may_show_another_photo() -> None:
    asked = []

    def other(rng: np.random.Generator) -> Image.Image:
        asked.append(rng)
        return _busy()

    for seed in range(10):
        replace_background(_product(), np.random.default_rng(seed), other)
    assert 1 <= len(asked) < 10


def test_a_busy_picture_keeps_its_background() -> None:
    image = _busy()
    assert plain_background(image) is None
    assert replace_background(image, np.random.default_rng(0)) is image


def test_mask_marks_the_background_and_spares_the_object() -> None:
    mask = plain_background(_product())
    assert mask is not None
    assert mask.shape == (100, 120)
    assert mask[50, 60] == 0.0
    assert mask[5, 5] == 1.0


def test_an_empty_picture_has_no_object_to_cut_out() -> None:
    assert plain_background(Image.new("RGB", (60, 60), "white")) is None


def test_overlay_draws_something_and_leaves_something() -> None:
    before = Image.new("RGB", (200, 200), (90, 90, 90))
    shares = [
        (np.asarray(overlay(before, np.random.default_rng(seed))) != np.asarray(before)).any(axis=2).mean()
        for seed in range(10)
    ]
    assert min(shares) > 0
    assert max(shares) < 0.9
