"""Training augmentations that imitate phones and marketplaces, on PIL images, seeded per photo.

Every photo, product or not, meets the same transformations with the same odds, so that none of them tells a product.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from training.recipe import Augmentation
from training.synthesis.screenshots import screenshot

Rng = np.random.Generator
Other = Callable[[Rng], Image.Image]
_WORDS = ("SALE", "50% OFF", "www.shop-online.com", "NEW", "Free shipping", "$49.90", "Rare!", "BUY NOW", "Photo: me",
          "Special OFFER", "vintage", "No. 1203", "@seller", "Contact us", "100% genuine", "Lot 27")  # fmt: skip


def augment(image: Image.Image, size: int, settings: Augmentation, rng: Rng, other: Other | None = None) -> Image.Image:
    """A random variant of an RGB ``image`` at ``size`` x ``size`` pixels.

    ``other``: reads a photo without products whose parts may replace a plain background.
    """
    if rng.random() < settings.background:
        image = replace_background(image, rng, other)
    if rng.random() < settings.overlay:
        image = overlay(image, rng)
    image = _turn(image, settings, rng)
    if rng.random() < settings.border:
        image = _border(image, rng)
    if settings.screenshot and rng.random() < settings.screenshot:
        image = screenshot(image, rng)
    image = _crop(image, size, settings, rng)
    if other is not None and settings.collage and rng.random() < settings.collage:
        image = _tiled(image, size, rng, other)
    if rng.random() < settings.colour:
        image = _colour(image, rng)
    if rng.random() < settings.grey:
        image = image.convert("L").convert("RGB")
    return _degrade(image, settings, rng)


def plain_background(image: Image.Image) -> np.ndarray[tuple[int, int], np.dtype[np.float32]] | None:
    """Soft mask of the background, float32 ``[H, W]`` in 0..1, where the border is nearly one colour; else None."""
    pixels = np.asarray(image, dtype=np.float32)
    border = np.concatenate([pixels[:4].reshape(-1, 3), pixels[-4:].reshape(-1, 3),
                             pixels[:, :4].reshape(-1, 3), pixels[:, -4:].reshape(-1, 3)])  # fmt: skip
    centre = np.median(border, axis=0)
    distance = np.abs(border - centre).max(axis=1)
    if np.mean(distance < 24.0) < 0.85:
        return None
    near = np.clip((40.0 - np.abs(pixels - centre).max(axis=2)) / 20.0, 0.0, 1.0)
    mask = Image.fromarray((near * 255).astype(np.uint8)).filter(ImageFilter.MedianFilter(5))
    share = float(np.asarray(mask).mean()) / 255.0
    return np.asarray(mask, dtype=np.float32) / 255.0 if 0.1 < share < 0.95 else None


def replace_background(image: Image.Image, rng: Rng, other: Other | None = None) -> Image.Image:
    """Put a plain-background object on another ground: a flat colour, a gradient, or a piece of ``other``."""
    mask = plain_background(image)
    if mask is None:
        return image
    ground = _ground(image.size, rng, other)
    alpha = Image.fromarray((mask * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))
    return Image.composite(ground, image, alpha)


def _ground(size: tuple[int, int], rng: Rng, other: Other | None) -> Image.Image:
    if other is not None and rng.random() < 0.6:
        return _random_crop(other(rng), rng, (0.3, 1.0), (0.7, 1.4)).resize(size)
    first, second = (rng.integers(0, 256, 3) for _ in range(2))
    if rng.random() < 0.5:
        second = first
    ramp = np.linspace(0.0, 1.0, size[1])[:, None, None]
    column = first * (1 - ramp) + second * ramp
    noise = rng.normal(0, rng.uniform(0, 6), (size[1], size[0], 1))
    return Image.fromarray(np.clip(column + noise, 0, 255).astype(np.uint8))


def overlay(image: Image.Image, rng: Rng) -> Image.Image:
    """Draw what sellers draw over photos: words, a price badge, a banner, a translucent watermark."""
    base = image.convert("RGBA")
    layer = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(layer)
    width, height = image.size
    for _ in range(int(rng.integers(1, 4))):
        colour = _random_colour(rng, int(rng.integers(90, 256)))
        if rng.random() < 0.4:
            top = int(rng.choice([0, height * rng.uniform(0.8, 0.95), rng.uniform(0, height)]))
            right = width if rng.random() < 0.6 else int(width * rng.uniform(0.2, 0.6))
            draw.rectangle((0, top, right, top + int(height * rng.uniform(0.05, 0.18))), fill=colour)
        elif rng.random() < 0.3:
            x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.05, 0.15) * width
            draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
        font = ImageFont.load_default(size=int(rng.uniform(0.04, 0.12) * height + 6))
        place = (rng.uniform(0, width * 0.7), rng.uniform(0, height * 0.95))
        draw.text(place, str(rng.choice(_WORDS)), fill=_random_colour(rng, colour[3]), font=font)
    return Image.alpha_composite(base, layer).convert("RGB")


def _random_colour(rng: Rng, opacity: int) -> tuple[int, int, int, int]:
    red, green, blue = (int(value) for value in rng.integers(0, 256, 3))
    return red, green, blue, opacity


def _turn(image: Image.Image, settings: Augmentation, rng: Rng) -> Image.Image:
    if rng.random() < settings.mirror:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < settings.upside_down:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    if rng.random() < settings.quarter_turn:
        turn = Image.Transpose.ROTATE_90 if rng.random() < 0.5 else Image.Transpose.ROTATE_270
        image = image.transpose(turn)
    if rng.random() < settings.tilt:
        corner = image.getpixel((0, 0))
        image = image.rotate(rng.uniform(-20, 20), Image.Resampling.BILINEAR, fillcolor=corner)
    return image


def _border(image: Image.Image, rng: Rng) -> Image.Image:
    red, green, blue, _ = _random_colour(rng, 255)
    colour = [(255, 255, 255), (0, 0, 0), (red, green, blue)][int(rng.integers(3))]
    left, top, right, bottom = (int(rng.uniform(0, 0.2) * side) for side in (*image.size, *image.size))
    framed = Image.new("RGB", (image.width + left + right, image.height + top + bottom), colour)
    framed.paste(image, (left, top))
    return framed


def _random_crop(image: Image.Image, rng: Rng, area: tuple[float, float], aspect: tuple[float, float]) -> Image.Image:
    share = rng.uniform(*area)
    stretch = float(np.exp(rng.uniform(*np.log(aspect))))
    width = min(image.width, max(16, round(image.width * (share * stretch) ** 0.5)))
    height = min(image.height, max(16, round(image.height * (share / stretch) ** 0.5)))
    left = int(rng.integers(0, image.width - width + 1))
    top = int(rng.integers(0, image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def _crop(image: Image.Image, size: int, settings: Augmentation, rng: Rng) -> Image.Image:
    if rng.random() >= settings.whole:
        image = _random_crop(image, rng, settings.crop_area, settings.crop_aspect)
    return image.resize((size, size), Image.Resampling.BILINEAR)


def _tiled(image: Image.Image, size: int, rng: Rng, other: Other) -> Image.Image:
    """``image`` as one of the four tiles of a square collage."""
    half = size // 2
    tiles = [image, *(_random_crop(other(rng), rng, (0.5, 1.0), (0.7, 1.4)) for _ in range(3))]
    sheet = Image.new("RGB", (size, size))
    for place, index in enumerate(rng.permutation(4)):
        left, top = place % 2 * half, place // 2 * half
        sheet.paste(tiles[index].resize((size - half, size - half), Image.Resampling.BILINEAR), (left, top))
    return sheet


def _colour(image: Image.Image, rng: Rng) -> Image.Image:
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.6, 1.35))
    image = ImageEnhance.Contrast(image).enhance(rng.uniform(0.65, 1.35))
    image = ImageEnhance.Color(image).enhance(rng.uniform(0.4, 1.5))
    balance = rng.uniform(0.85, 1.15, 3)
    return Image.fromarray(np.clip(np.asarray(image) * balance, 0, 255).astype(np.uint8))


def _degrade(image: Image.Image, settings: Augmentation, rng: Rng) -> Image.Image:
    if rng.random() < settings.blur:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.8)))
    if rng.random() < settings.resample:
        small = tuple(max(32, int(side * rng.uniform(0.35, 0.9))) for side in image.size)
        image = image.resize((small[0], small[1]), Image.Resampling.BILINEAR).resize(
            image.size, Image.Resampling.BICUBIC
        )
    if rng.random() < settings.jpeg:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(rng.integers(30, 96)))
        image = Image.open(buffer).convert("RGB")
    return image
