import numpy as np
import pytest
from PIL import Image, ImageDraw

from training.synthesis.cutouts import crop_to, paste, silhouette

pytestmark = pytest.mark.training
RED = (200, 40, 30)


def _on_white(size: tuple[int, int] = (160, 120)) -> Image.Image:
    image = Image.new("RGB", size, (250, 250, 250))
    ImageDraw.Draw(image).ellipse((50, 30, 110, 90), fill=RED)
    return image


def _cut_out(image: Image.Image) -> Image.Image | None:
    opacity = silhouette(image)
    assert opacity is not None
    return crop_to(image, opacity)


def test_an_object_on_white_is_cut_along_its_outline() -> None:
    cut = _cut_out(_on_white())
    assert cut is not None
    assert cut.mode == "RGBA"
    assert abs(cut.width - 61) <= 3
    assert abs(cut.height - 61) <= 3
    opacity = np.asarray(cut.getchannel("A"), dtype=float) / 255
    assert opacity[cut.height // 2, cut.width // 2] == 1
    assert opacity[1, 1] < 0.1
    assert opacity.mean() == pytest.approx(np.pi / 4, abs=0.05)


def test_specks_are_left_behind() -> None:
    image = _on_white()
    ImageDraw.Draw(image).rectangle((4, 100, 8, 104), fill=(10, 10, 10))
    cut = _cut_out(image)
    assert cut is not None
    assert cut.width < 70


def test_a_busy_photo_has_no_cutout() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)
    assert silhouette(Image.fromarray(noise)) is None


def test_masks_that_keep_nearly_nothing_or_everything_are_refused() -> None:
    image = _on_white()
    assert crop_to(image, np.zeros((120, 160), np.float32)) is None
    assert crop_to(image, np.ones((120, 160), np.float32)) is None
    thin = np.zeros((120, 160), np.float32)
    thin[:, 60:70] = 1
    assert crop_to(image, thin) is None


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_paste_covers_the_share_that_was_asked_for(share: float) -> None:
    ground = Image.new("RGB", (240, 240), (120, 120, 120))
    square = Image.new("RGBA", (60, 60), (*RED, 255))
    shares = []
    for seed in range(12):
        made = np.asarray(paste(ground, square, share, np.random.default_rng(seed)), dtype=float)
        shares.append(float((made[..., 0] - made[..., 2] > 40).mean()))
    # a turned square fills its box by half at least
    assert 0.45 * share < np.mean(shares) < 1.1 * share


def test_paste_repeats_and_leaves_the_ground_alone() -> None:
    ground, cut = Image.new("RGB", (200, 150), (90, 120, 90)), Image.new("RGBA", (50, 40), (*RED, 255))
    first = paste(ground, cut, 0.2, np.random.default_rng(5))
    assert first.size == ground.size
    assert np.array_equal(np.asarray(first), np.asarray(paste(ground, cut, 0.2, np.random.default_rng(5))))
    assert np.unique(np.asarray(ground).reshape(-1, 3), axis=0).shape[0] == 1
    assert not np.array_equal(np.asarray(first), np.asarray(paste(ground, cut, 0.2, np.random.default_rng(6))))
