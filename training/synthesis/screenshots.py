"""Photos as another phone shows them: a screenshot of an app, the photo between bars, buttons and words."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_WORDS = ("Chat", "14:05", "Seller", "Add to cart", "Details", "2 h ago", "Like", "Share", "Ask a question", "87 %")


def screenshot(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """``image`` in an app, light or dark: it keeps its width and takes 45 to 85 % of the height."""
    width = image.width
    height = round(image.height / rng.uniform(0.45, 0.85))
    dark = rng.random() < 0.4
    ground, ink = ((18, 18, 20), (225, 225, 228)) if dark else ((250, 250, 250), (40, 40, 44))
    sheet = Image.new("RGB", (width, height), ground)
    top = int(rng.uniform(0.2, 0.8) * (height - image.height))
    draw = ImageDraw.Draw(sheet)
    _rows(draw, (0, top), width, ink, rng)
    _rows(draw, (top + image.height, height), width, ink, rng)
    sheet.paste(image, (0, top))
    return sheet


def _rows(
    draw: ImageDraw.ImageDraw, span: tuple[int, int], width: int, ink: tuple[int, int, int], rng: np.random.Generator
) -> None:
    """Rows of a round button and words, from the first to the second height of ``span``."""
    row = max(8, round(width * rng.uniform(0.06, 0.11)))
    font = ImageFont.load_default(size=row * 0.6)
    for y in range(span[0], span[1] - row, row + row // 3):
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        left = int(rng.uniform(0, width * 0.1))
        if rng.random() < 0.5:
            draw.ellipse((left, y, left + row, y + row), fill=colour)
        draw.text((left + row * 1.3, y), str(rng.choice(_WORDS)), fill=ink, font=font)
