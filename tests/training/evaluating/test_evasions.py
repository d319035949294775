import numpy as np
import pytest
from PIL import Image

from training.evaluating.evasions import EVASIONS, STRENGTHS, evade


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    rng = np.random.default_rng(3)
    small = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
    return Image.fromarray(small).resize((160, 120), Image.Resampling.BICUBIC)


def _seen(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR), dtype=np.float32)


def test_there_are_at_least_twelve() -> None:
    assert len(EVASIONS) >= 12
    assert all(function.__doc__ for function in EVASIONS.values())


@pytest.mark.parametrize("name", EVASIONS)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_changes_what_the_network_sees_and_repeats(picture: Image.Image, name: str, strength: int) -> None:
    before = picture.copy()
    changed = evade(picture, name, strength, (1, 2))
    assert changed.mode == "RGB"
    assert np.abs(_seen(changed) - _seen(picture)).mean() > 0.2 or name == "aspect"
    assert changed.tobytes() == evade(picture, name, strength, (1, 2)).tobytes()
    assert picture.tobytes() == before.tobytes()


@pytest.mark.parametrize("name", ["blur", "jpeg", "grey", "colour_cast", "text", "sticker", "watermark", "noise"])
def test_stronger_changes_more(picture: Image.Image, name: str) -> None:
    changes = [np.abs(_seen(evade(picture, name, s, (5,))) - _seen(picture)).mean() for s in STRENGTHS]
    assert changes == sorted(changes)
    assert changes[0] < changes[2]


def test_aspect_stretches(picture: Image.Image) -> None:
    sizes = [evade(picture, "aspect", strength, (1,)).size for strength in STRENGTHS]
    ratios = [abs(np.log(width / height / (160 / 120))) for width, height in sizes]
    assert ratios == pytest.approx(np.log([1.25, 1.5, 2.2]), abs=0.03)


def test_crops_keep_their_share(picture: Image.Image) -> None:
    cropped = evade(picture, "crop_quarter", 2, (1,))
    assert cropped.width * cropped.height == pytest.approx(0.25 * 160 * 120, rel=0.03)


def test_a_collage_holds_the_picture(picture: Image.Image) -> None:
    sheet = evade(picture, "collage", 2, (9,))
    assert sheet.size == (320, 240)
    tiles = [sheet.crop((x, y, x + 160, y + 120)).tobytes() for x in (0, 160) for y in (0, 120)]
    assert tiles.count(picture.tobytes()) == 1
