"""What sellers do to a photo, seeded and at three strengths, to measure what the detector still sees.

Each evasion maps an RGB image to another; nothing here is used in training (:mod:`training.synthesis.augment` is).
"""

import io
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

T = TypeVar("T")
Rng = np.random.Generator
Evasion = Callable[[Image.Image, int, Rng], Image.Image]
STRENGTHS = (1, 2, 3)
_GREY = (128, 128, 128)
_WORDS = ("FOR SALE", "message me", "Antique, rare", "no reserve", "$120", "free shipping", "SOLD?", "DM for price")


def evade(image: Image.Image, name: str, strength: int, seed: tuple[int, ...]) -> Image.Image:
    """``image`` after the evasion ``name`` at ``strength`` 1, 2 or 3; repeatable by ``seed``."""
    return EVASIONS[name](image, strength, np.random.default_rng(seed))


def _pick(strength: int, values: tuple[T, T, T]) -> T:
    return values[strength - 1]


def _crop(image: Image.Image, share: float, rng: Rng) -> Image.Image:
    width, height = (max(16, round(side * share**0.5)) for side in image.size)
    left = int(rng.integers(0, max(1, image.width - width + 1)))
    top = int(rng.integers(0, max(1, image.height - height + 1)))
    return image.crop((left, top, left + width, top + height))


def crop_half(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """Keep 70, 50 or 40 % of the area, anywhere."""
    return _crop(image, _pick(strength, (0.7, 0.5, 0.4)), rng)


def crop_quarter(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """Keep 35, 25 or 15 % of the area, anywhere."""
    return _crop(image, _pick(strength, (0.35, 0.25, 0.15)), rng)


def tilt(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """Rotate by 8, 15 or 30 degrees, either way, corners grey."""
    angle = _pick(strength, (8, 15, 30)) * int(rng.choice([-1, 1]))
    return image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=_GREY)


def quarter_turn(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """Turn by 90, 270 or 180 degrees."""
    turns = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180)
    return image.transpose(_pick(strength, turns))


def mirror(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """Left to right; from strength 2 after a crop to 80 %, then 60 %."""
    share = _pick(strength, (1.0, 0.8, 0.6))
    return _crop(image, share, rng).transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def blur(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """Gaussian blur with a radius of 0.5, 1 or 2 % of the longer side."""
    return image.filter(ImageFilter.GaussianBlur(_pick(strength, (0.005, 0.01, 0.02)) * max(image.size)))


def jpeg(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """JPEG of quality 40, 20 or 8."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_pick(strength, (40, 20, 8)))
    return Image.open(buffer).convert("RGB")


def grey(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """Take away half, 80 % or all of the colour."""
    return Image.blend(image, image.convert("L").convert("RGB"), _pick(strength, (0.5, 0.8, 1.0)))


def colour_cast(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """Multiply one channel by 1.15, 1.3 or 1.6 and another by its inverse."""
    gain = _pick(strength, (1.15, 1.3, 1.6))
    factors = rng.permutation([gain, 1 / gain, 1.0])
    return Image.fromarray(np.clip(np.asarray(image, dtype=np.float32) * factors, 0, 255).astype(np.uint8))


def text(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """Write 2, 5 or 10 lines over the picture."""
    result = image.copy()
    draw = ImageDraw.Draw(result)
    font = ImageFont.load_default(size=max(8, round(0.09 * image.height)))
    for _ in range(_pick(strength, (2, 5, 10))):
        place = (rng.uniform(-0.1, 0.6) * image.width, rng.uniform(0, 0.92) * image.height)
        colour = (255, 255, 255) if rng.random() < 0.5 else (200, 20, 20)
        draw.text(place, str(rng.choice(_WORDS)), fill=colour, font=font, stroke_width=1, stroke_fill=(0, 0, 0))
    return result


def sticker(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """A face drawn over 6, 12 or 22 % of the picture, near its centre."""
    result = image.copy()
    draw = ImageDraw.Draw(result)
    radius = (_pick(strength, (0.06, 0.12, 0.22)) * image.width * image.height / np.pi) ** 0.5
    x, y = (side * rng.uniform(0.4, 0.6) for side in image.size)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 204, 51), outline=(90, 60, 0), width=2)
    for eye in (-0.35, 0.35):
        e = 0.12 * radius
        draw.ellipse((x + eye * radius - e, y - 0.3 * radius - e, x + eye * radius + e, y - 0.3 * radius + e), fill=0)
    draw.arc((x - 0.5 * radius, y - 0.4 * radius, x + 0.5 * radius, y + 0.6 * radius), 20, 160, fill=0, width=3)
    return result


def border(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """A frame of one colour, 8, 15 or 30 % of each side."""
    share = _pick(strength, (0.08, 0.15, 0.3))
    colour = (int(rng.integers(256)), int(rng.integers(256)), int(rng.integers(256)))
    width, height = image.size
    framed = Image.new("RGB", (round(width * (1 + 2 * share)), round(height * (1 + 2 * share))), colour)
    framed.paste(image, (round(width * share), round(height * share)))
    return framed


def screenshot(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """A phone's screen: bars and lines of text around the picture, which keeps 70, 50 or 35 % of the height."""
    share = _pick(strength, (0.7, 0.5, 0.35))
    width, height = image.width, round(image.height / share)
    screen = Image.new("RGB", (width, height), (250, 250, 250))
    draw = ImageDraw.Draw(screen)
    top = round((height - image.height) * 0.3)
    draw.rectangle((0, 0, width, round(top * 0.5)), fill=(40, 90, 160))
    font = ImageFont.load_default(size=max(8, round(0.04 * height)))
    draw.text((4, round(top * 0.55)), "Marketplace - 3 h ago", fill=(30, 30, 30), font=font)
    for line in range(6):
        y = top + image.height + round((0.3 + 1.4 * line) * 0.04 * height)
        draw.text((4, y), str(rng.choice(_WORDS)), fill=(60, 60, 60), font=font)
    screen.paste(image, (0, top))
    return screen


def collage(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """One of 2, 4 or 9 tiles; the others are smooth colour patterns."""
    columns, rows = _pick(strength, ((2, 1), (2, 2), (3, 3)))
    width, height = image.size
    sheet = Image.new("RGB", (columns * width, rows * height))
    chosen = int(rng.integers(columns * rows))
    for tile in range(columns * rows):
        small = rng.integers(0, 256, (4, 4, 3)).astype(np.uint8)
        filler = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
        sheet.paste(image if tile == chosen else filler, (tile % columns * width, tile // columns * height))
    return sheet


def watermark(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """A translucent word tiled over the whole picture, opacity 25, 45 or 70 %."""
    layer = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(layer)
    size = max(8, round(0.07 * image.height))
    fill = (255, 255, 255, round(255 * _pick(strength, (0.25, 0.45, 0.7))))
    for row in range(0, image.height, 2 * size):
        for column in range(-size * (row // size % 4), image.width, 6 * size):
            draw.text((column, row), "my-shop.com", fill=fill, font=ImageFont.load_default(size=size))
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def noise(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """Gaussian noise with a standard deviation of 8, 16 or 32 of 255."""
    values = np.asarray(image, dtype=np.float32) + rng.normal(0, _pick(strength, (8, 16, 32)), (*image.size[::-1], 3))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def aspect(image: Image.Image, strength: int, rng: Rng) -> Image.Image:
    """Stretch one side by 1.25, 1.5 or 2.2 against the other."""
    factor = _pick(strength, (1.25, 1.5, 2.2)) ** float(rng.choice([-0.5, 0.5]))
    return image.resize((max(16, round(image.width * factor)), max(16, round(image.height / factor))))


EVASIONS: dict[str, Evasion] = {
    function.__name__: function
    for function in (
        crop_half, crop_quarter, tilt, quarter_turn, mirror, blur, jpeg, grey, colour_cast, text, sticker, border,
        screenshot, collage, watermark, noise, aspect,
    )
}  # fmt: skip
