"""Which photos an epoch draws."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.photos.manifest import Photo
from training.photos.sampling import draw_epoch, photo_weights
from training.recipe import Recipe


def _photos(counts: dict[tuple[str, str], int]) -> list[Photo]:
    photos = []
    for (label, group), count in counts.items():
        for number in range(count):
            name = f"{label}-{group}-{number}"
            photos.append(Photo(Path(name), name, "train", (label,) if label else (), group, "k", name, "s"))
    return photos


PHOTOS = _photos({
    ("ivory", "product"): 160, ("coral", "product"): 10,
    ("", "listing"): 300, ("", "lookalike"): 50, ("", "live_animal"): 20,
})  # fmt: skip


def _recipe(**changes: object) -> Recipe:
    return Recipe.model_validate({"categories": {"ivory": "core", "coral": "core"}, "epoch_size": 1000, **changes})


def _counts(recipe: Recipe, epoch: int = 0) -> Counter[str]:
    return Counter((PHOTOS[i].labels or (PHOTOS[i].group,))[0] for i in draw_epoch(PHOTOS, recipe, epoch))


def test_draws_depend_on_seed_and_epoch_alone() -> None:
    first = draw_epoch(PHOTOS, _recipe(), 3)
    assert first == draw_epoch(PHOTOS, _recipe(), 3)
    assert first != draw_epoch(PHOTOS, _recipe(), 4)
    assert first != draw_epoch(PHOTOS, _recipe(seed=2), 3)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.3, 1.0])
def test_product_share_is_kept(share: float) -> None:
    draws = draw_epoch(PHOTOS, _recipe(product_share=share), 0)
    assert len(draws) == 1000
    assert sum(bool(PHOTOS[i].labels) for i in draws) == round(1000 * share)


def test_negatives_are_shared_between_groups() -> None:
    counts = _counts(_recipe(group_shares={"listing": 0.5, "lookalike": 0.5, "live_animal": 0.0}))
    assert counts["live_animal"] == 0
    assert abs(counts["listing"] - counts["lookalike"]) <= 4


def test_rare_categories_are_drawn_by_the_power_of_their_photos() -> None:
    counts = _counts(_recipe(product_share=0.5, rare_power=0.5))
    assert counts["ivory"] / counts["coral"] == pytest.approx(4.0, rel=0.1)
    even = _counts(_recipe(product_share=0.5, rare_power=0.0))
    assert even["ivory"] == pytest.approx(even["coral"], abs=4)


def test_photos_of_a_cell_come_equally_often() -> None:
    draws = Counter(draw_epoch(PHOTOS, _recipe(), 1))
    listing = [draws[i] for i, photo in enumerate(PHOTOS) if photo.group == "listing"]
    assert max(listing) - min(listing) <= 1


def test_weights_of_a_cell_add_up_to_its_share() -> None:
    weights = photo_weights(PHOTOS, _recipe())
    listing = np.array([photo.group == "listing" for photo in PHOTOS])
    assert weights[listing].sum() == pytest.approx(0.45)


def test_without_products_only_negatives_are_drawn() -> None:
    negatives = [photo for photo in PHOTOS if not photo.labels]
    assert len(draw_epoch(negatives, _recipe(), 0)) == 1000


def test_hard_negatives_get_their_share_of_the_negative_draws() -> None:
    hard = [i for i, photo in enumerate(PHOTOS) if photo.group == "lookalike"][:5]
    plain = Counter(draw_epoch(PHOTOS, _recipe(mining=0.4), 2))
    mined = Counter(draw_epoch(PHOTOS, _recipe(mining=0.4), 2, hard))
    assert sum(mined.values()) == sum(plain.values()) == 1000
    assert sum(mined[i] for i in hard) - 0.6 * sum(plain[i] for i in hard) == pytest.approx(280, abs=4)
    assert sum(mined[i] for i, photo in enumerate(PHOTOS) if photo.labels) == 300


def test_products_are_balanced_by_source_too() -> None:
    """A shop with many photos of ivory does not drown the museum with few."""
    shop = [photo for photo in PHOTOS if photo.labels == ("ivory",)][:90]
    museum = [replace(photo, source="museum") for photo in PHOTOS if photo.labels == ("ivory",)][90:100]
    weights = photo_weights([*shop, *museum], _recipe(rare_power=0.5))
    assert weights[:90].sum() / weights[90:].sum() == pytest.approx(3.0)
