"""Ink on curved things: inventory numbers as on seized tusks, and scrimshaw, drawn with Pillow and wrapped round."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.scenes.blender import module
from training.scenes.nodes import Graph
from training.scenes.shapes import Array

SIZE = (512, 128)
"""Width and height of a drawing, pixels."""


def number(rng: Random) -> Array:
    """A hand-written looking number or weight; (128, 512) values, 1 where there is ink."""
    words = rng.choice(
        [
            f"{rng.randint(1, 999):03d}",
            f"{rng.choice('ABKTZ')}{rng.choice('CDW')}-{rng.randint(1, 99)}",
            f"{rng.randint(2, 38)}.{rng.randint(0, 9)} KG",
            f"{rng.randint(10, 99)}/{rng.randint(1, 400)}",
        ]
    )
    sheet = Image.new("L", SIZE, 0)
    place = rng.uniform(10, 60)
    for letter in words:
        font = ImageFont.load_default(rng.uniform(84, 100))
        piece = Image.new("L", (90, 128), 0)
        ImageDraw.Draw(piece).text((18, 4), letter, 255, font, stroke_width=rng.choice([2, 3]))
        piece = piece.rotate(rng.uniform(-9, 9), resample=Image.Resampling.BILINEAR)
        sheet.paste(255, (int(place), int(rng.uniform(-4, 4))), piece)
        place += rng.uniform(52, 64)
    return np.asarray(sheet, dtype=np.float64) / 255


def scrimshaw(rng: Random) -> Array:
    """Fine engraved lines: a ship or a whale over waves, between bands; (128, 512) values, 1 where there is ink."""
    sheet = Image.new("L", SIZE, 0)
    draw = ImageDraw.Draw(sheet)
    for x in (30, 36, 476, 482):
        draw.line([(x, 0), (x, 128)], 255, 2)
    for wave in range(44, 470, 26):
        height = 104 + rng.uniform(-3, 3)
        draw.arc([wave, height, wave + 30, height + 18], 180, 360, 220, 2)
    left = rng.uniform(80, 200)
    rng.choice([_ship, _whale])(rng, draw, left)
    for _ in range(rng.randint(10, 30)):
        left, top = rng.uniform(50, 450), rng.uniform(8, 40)
        draw.line([(left, top), (left + rng.uniform(10, 40), top + rng.uniform(-3, 3))], 150, 1)
    return np.asarray(sheet, dtype=np.float64) / 255


def _ship(rng: Random, draw: ImageDraw.ImageDraw, x: float) -> None:
    """A sailing ship from `x` on, 180 pixels long."""
    draw.polygon([(x, 84), (x + 180, 80), (x + 160, 108), (x + 24, 108)], 200, 255)
    for mast in (40, 90, 138):
        draw.line([(x + mast, 84), (x + mast, 8)], 255, 3)
        for y in (14, 36, 58):
            wide = 12 + y / 4 + rng.uniform(-2, 2)
            draw.polygon(
                [(x + mast - wide, y), (x + mast + wide, y), (x + mast + wide, y + 18), (x + mast - wide, y + 18)],
                None,
                255,
            )
    draw.line([(x, 84), (x + 40, 10), (x + 138, 8), (x + 215, 74)], 200, 1)


def _whale(rng: Random, draw: ImageDraw.ImageDraw, x: float) -> None:
    """A whale from `x` on, 200 pixels long, hatched."""
    draw.chord([x, 40, x + 150, 116], 180, 360, 0, 255, 3)
    draw.polygon([(x + 140, 76), (x + 200, 40), (x + 190, 62), (x + 205, 84)], 220, 255)
    for step in range(0, 130, 6):
        draw.line([(x + step, 74), (x + step + 10, 58 + rng.uniform(-6, 6))], 200, 1)


def inked(material: Any, drawing: Array, start: float, width: float, turns: int, strength: float = 0.9) -> Any:
    """Put `drawing` on a finished material, `turns` times round, from `start` over `width` of the length (0..1)."""
    bpy = module()

    high, wide = drawing.shape
    image = bpy.data.images.new("ink", wide, high, alpha=True)
    image.colorspace_settings.name = "Non-Color"
    pixels = np.zeros((high, wide, 4), dtype=np.float32)
    pixels[..., 3] = drawing[::-1]
    image.pixels.foreach_set(pixels.ravel())
    g = Graph("ink", material)
    parts = g.node("SeparateXYZ")
    g.put(parts.inputs[0], g.grain(shift=0.0))
    angle = g.math("ARCTAN2", parts.outputs[1], parts.outputs[0])
    place = g.node("CombineXYZ")
    g.put(place.inputs[0], g.math("DIVIDE", g.math("SUBTRACT", g.along(), start), width))
    g.put(place.inputs[1], g.math("FRACT", g.math("ADD", g.math("MULTIPLY", angle, turns / (2 * math.pi)), 10.0)))
    texture = g.node("TexImage", image=image, extension="CLIP")
    g.put(texture.inputs["Vector"], place.outputs[0])
    worn = g.span(g.noise(g.grain(), 4.0, 4.0), 0.3, 0.6, strength * 0.6, strength)
    base = g.bsdf.inputs["Base Color"]
    below = base.links[0].from_socket
    g.put(base, g.mix(g.math("MULTIPLY", texture.outputs["Alpha"], worn), below, (0.012, 0.012, 0.016)))
    return material
