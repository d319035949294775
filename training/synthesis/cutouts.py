"""Objects cut out of photos with a plain background, and pasted into other photos at a chosen size.

The background is found by its colour along the border, the outline refined by GrabCut (Rother et al. 2004, OpenCV).
Cut, paste and learn: Dwibedi et al. 2017.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from training.synthesis.augment import plain_background

Rng = np.random.Generator
_ROUNDS = 3
_SHARE = (0.03, 0.9)
_LEAST_SIDE = 24


def silhouette(image: Image.Image) -> NDArray[np.float32] | None:
    """Opacity of the object of an RGB photo, float32 ``[H, W]`` in 0..1; None where the background is not plain."""
    background = plain_background(image)
    return None if background is None else _refine(np.asarray(image), background)


def crop_to(image: Image.Image, opacity: NDArray[np.float32]) -> Image.Image | None:
    """``image`` as RGBA with ``opacity`` float32 ``[H, W]`` in 0..1, cropped; None where nothing or all is left."""
    box = box_of(opacity)
    if box is None or min(box[2] - box[0], box[3] - box[1]) < _LEAST_SIDE:
        return None
    solid = Image.fromarray((opacity * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.8))
    cut = image.convert("RGBA")
    cut.putalpha(solid)
    return cut.crop(box)


def box_of(opacity: NDArray[np.float32]) -> tuple[int, int, int, int] | None:
    """Box ``(left, top, right, bottom)`` in pixels of an object by its opacity float32 ``[H, W]`` in 0..1.

    None where nothing or all is left.
    """
    if not _SHARE[0] < float(opacity.mean()) < _SHARE[1]:
        return None
    return Image.fromarray(((opacity > 0.5) * 255).astype(np.uint8)).getbbox()


def _refine(pixels: NDArray[np.uint8], background: NDArray[np.float32]) -> NDArray[np.float32]:
    """Opacity of the object: GrabCut from the colour mask, then without specks smaller than a fiftieth of it."""
    trimap = np.where(background > 0.9, cv2.GC_PR_BGD, cv2.GC_PR_FGD).astype(np.uint8)
    trimap[cv2.erode((background < 0.1).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0] = cv2.GC_FGD
    trimap[:2], trimap[-2:], trimap[:, :2], trimap[:, -2:] = (cv2.GC_BGD,) * 4
    models = np.zeros((1, 65)), np.zeros((1, 65))
    if not {cv2.GC_PR_FGD, cv2.GC_FGD} & set(np.unique(trimap).tolist()):
        return np.zeros(trimap.shape, np.float32)
    cv2.setRNGSeed(0)
    cv2.grabCut(pixels[..., ::-1].copy(), trimap, (0, 0, 1, 1), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    shown = np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(shown)
    areas = statistics[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    kept: NDArray[np.float32] = (areas >= max(1, areas.max()) / 50)[parts].astype(np.float32)
    return kept


def paste(ground: Image.Image, cut: Image.Image, share: float, rng: Rng) -> Image.Image:
    """``ground`` (RGB) with ``cut`` (RGBA) on it, somewhere, so that its box covers ``share`` (0..1) of the area.

    The box is the one that it was cut out with, turned: what is seen of a round thing covers a fifth less. A box that
    is longer than the ground is made to fit.

    The object is turned, mirrored, brought towards the light and sharpness of its new place, and throws a soft shadow.
    """
    if rng.random() < 0.5:
        cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    cut = cut.rotate(
        rng.normal(0, 12) + 90 * int(rng.integers(0, 4) * (rng.random() < 0.2)), Image.Resampling.BICUBIC, expand=True
    )
    cut = _scaled(cut, ground.size, share)
    left = int(rng.integers(0, max(1, ground.width - cut.width + 1)))
    top = int(rng.integers(0, max(1, ground.height - cut.height + 1)))
    cut = _relit(cut, ground.crop((left, top, left + cut.width, top + cut.height)), rng)
    made = ground.copy()
    opacity = cut.getchannel("A")
    shadow = opacity.filter(ImageFilter.GaussianBlur(max(2.0, cut.width * 0.04))).point(lambda v: int(v * 0.45))
    shift = int(cut.width * rng.uniform(-0.05, 0.05)), int(cut.height * rng.uniform(0, 0.06))
    made.paste((12, 10, 8), (left + shift[0], top + shift[1]), shadow)
    made.paste(cut.convert("RGB"), (left, top), opacity)
    return made


def _scaled(cut: Image.Image, size: tuple[int, int], share: float) -> Image.Image:
    factor = (share * size[0] * size[1] / (cut.width * cut.height)) ** 0.5
    factor = min(factor, size[0] / cut.width, size[1] / cut.height)
    return cut.resize((max(4, round(cut.width * factor)), max(4, round(cut.height * factor))), Image.Resampling.LANCZOS)


def _relit(cut: Image.Image, place: Image.Image, rng: Rng) -> Image.Image:
    """Brightness and tint a third of the way to the place's, a little random contrast, and at times a soft focus."""
    opacity = cut.getchannel("A")
    rgb = np.asarray(cut.convert("RGB"), np.float32)
    weight = np.asarray(opacity, np.float32)[..., None] + 1e-3
    own = (rgb * weight).sum((0, 1)) / weight.sum()
    there = np.asarray(place, np.float32).mean((0, 1))
    level = (there.mean() + 60) / (own.mean() + 60)
    tint = (there / (there.mean() + 1) + 2) / 3
    lit = rgb * np.clip(level ** rng.uniform(0.1, 0.5), 0.6, 1.35) * tint
    image = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
    image = ImageEnhance.Contrast(image).enhance(rng.uniform(0.8, 1.15))
    if rng.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    image.putalpha(opacity)
    return image
