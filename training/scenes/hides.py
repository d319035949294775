"""Hides laid flat, draped or rolled, and cloths, garments and cushions: meshes and placers. In units of 10 cm."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from training.scenes import lookalikes
from training.scenes.coats import backing
from training.scenes.placers import Placer
from training.scenes.shapes import Array, Shape, box, grid, plate, quads, ripple
from training.scenes.studio import COMPANION, add, mesh_of

Bend = Callable[[Random, Array], Array]
"""Heights of a flat sheet's points (n, 3) by the way it lies."""


def _hump(v: Array, centre: float, width: float) -> Array:
    """A smooth bump of height 1."""
    made: Array = np.exp(-(np.abs((v - centre) / width) ** 2.6))
    return made


def pelt(rng: Random, length: float, tail: bool = True, head: bool = True, wide: float = 1.0) -> Shape:
    """The outline of a skinned animal, spine along y, head at the far end: four legs, neck, tail, ragged edge.

    `wide` is the width of the body, 1 being a cat's and 1.6 that of cattle or sheep.
    """
    rows, columns = 190, 61
    u, v = grid(rows, columns)
    body = length * rng.uniform(0.15, 0.19) * wide
    start = 0.30 if tail else 0.04
    width = body * np.clip((v - start) / 0.07, 0, 1) ** 0.5 * np.clip((0.985 - v) / 0.08, 0, 1) ** 0.5
    narrow = 1 - rng.uniform(0.15, 0.3) * _hump(v, (start + 0.82) / 2, 0.1)
    neck = (
        1 - (0.5 if head else 0.3) * np.clip((v - 0.84) / 0.06, 0, 1) + (0.2 * _hump(v, 0.94, 0.035) if head else 0.0)
    )
    legs = np.zeros(len(v))
    for centre, reach in ((start + 0.08, rng.uniform(0.9, 1.3)), (0.80, rng.uniform(0.8, 1.2))):
        legs += reach / wide * _hump(v, centre, rng.uniform(0.03, 0.04))
    width = width * (narrow * neck + legs)
    if tail:
        width = np.maximum(width, length * 0.017 * np.clip(v / 0.01, 0, 1) ** 0.5 * (v < start + 0.03))
    lean = ripple(rng, np.stack([0 * v, v * 3, np.sign(u)], 1))
    forward = length * 0.05 * lean * legs * np.abs(u) ** 2
    ragged = 1 + 0.03 * ripple(rng, np.stack([v * 60, u * 2, 0 * v], 1), 6) * np.abs(u) ** 3
    x = u * width * ragged
    y = length * (v - 0.55) + forward
    if tail:
        x += length * rng.uniform(-0.12, 0.12) * np.clip((start - v) / start, 0, 1) ** 2
    verts = np.stack([x, y, np.zeros(len(x))], 1)
    along = np.clip(np.abs(x) / (body * 2.2), 0, 1)
    thick = np.full(len(x), 0.06) * (1 - 0.7 * np.abs(u) ** 8)
    made = plate(verts, thick, verts.copy(), along, rows, columns)
    made.grain = made.verts * np.array([1.0, 1.0, 0.0])
    return made


def sheet(rng: Random, width: float, length: float, oval: float = 0.0) -> Shape:
    """A plain rug or cloth, `width` by `length`; `oval` 0 is rectangular, 1 an ellipse."""
    rows, columns = 90, 70
    u, v = grid(rows, columns)
    curve = np.sqrt(np.clip(1 - (2 * v - 1) ** 2, 0.003, 1))
    x = u * width / 2 * (1 - oval + oval * curve) * (1 + 0.015 * ripple(rng, np.stack([v * 8, u, 0 * u], 1)))
    verts = np.stack([x, length * (v - 0.5), np.zeros(len(u))], 1)
    made = plate(verts, np.full(len(u), 0.05), verts.copy(), np.full(len(u), 0.3), rows, columns)
    made.grain = made.verts * np.array([1.0, 1.0, 0.0])
    return made


def cushion(rng: Random, size: float) -> Shape:
    """A square pillow lying flat, plump in its middle, pinched corners."""
    n = 50
    u, v = grid(n, n)
    w = v * 2 - 1
    thick = size * rng.uniform(0.16, 0.26) * ((1 - u**4) * (1 - w**4)).clip(0.0) ** 0.5
    pinch = 1 - 0.07 * (1 - np.abs(u * w)) * (np.abs(u) ** 3 + np.abs(w) ** 3)
    verts = np.stack([u * size / 2 * pinch, w * size / 2 * pinch, thick], 1)
    verts[:, 2] += 0.02 * size * ripple(rng, verts * 5 / size) * (thick > 0)
    made = plate(verts, 2 * thick + 0.02, verts.copy(), np.full(len(u), 0.3), n, n)
    made.verts[:, 2] -= made.verts[:, 2].min()
    made.grain = made.verts * np.array([1.0, 1.0, 0.0])
    return made


def flat(rng: Random, points: Array) -> Array:
    """Lying on the floor with low waves."""
    made: Array = 0.35 + 0.32 * ripple(rng, points * 0.35)
    return made


def draped(rng: Random, points: Array) -> Array:
    """Hanging over a bar of 10 units width (see over): level on top, falling on both sides."""
    fall = np.clip(np.abs(points[:, 1]) - 3.0, 0, None)
    made: Array = 4.1 + 0.12 * ripple(rng, points * 0.5) - np.minimum(fall * 1.1, 3.7)
    return made


def folded(rng: Random, points: Array) -> Array:
    """Pushed into long folds."""
    made: Array = 0.9 + 0.8 * ripple(rng, points * np.array([0.7, 0.25, 0.0]), 3)
    return made


def laid(make: Callable[[Random], Shape], look: Callable[[Random], Any], bend: Bend = flat) -> Placer:
    """One hide or cloth, lying as `bend` says, turned anyhow; draped ones hang over a wooden chest."""

    def place(scene: Any, rng: Random) -> None:
        shape = make(rng)
        heights = bend(rng, shape.verts * np.array([1.0, 1.0, 0.0]))
        shape.verts[:, 2] += heights
        if bend is folded:
            shape.verts[:, 0] *= 0.75
        shape.verts[:, 2] -= min(0.0, shape.verts[:, 2].min())
        turn = rng.uniform(-0.3, 0.3) + (rng.choice([0.0, math.pi]) if bend is draped else rng.uniform(0, 6))
        add(mesh_of(shape, [look(rng), backing(rng)]), (0.0, 0.0, 0.02), (0.0, 0.0, turn))
        if bend is draped:
            chest = mesh_of(box((rng.uniform(9, 14), 5.6, 3.8)), [lookalikes.wood(rng)])
            add(chest, (0.0, 0.0, 1.9), (0.0, 0.0, turn), index=0)[COMPANION] = True

    return place


def cushions(look: Callable[[Random], Any]) -> Placer:
    """One to three cushions."""

    def place(scene: Any, rng: Random) -> None:
        material, number = look(rng), rng.randint(1, 3)
        for i in range(number):
            mesh = mesh_of(cushion(rng, rng.uniform(4.0, 5.0)), [material])
            add(mesh, ((i - (number - 1) / 2) * 5.2, rng.gauss(0, 0.4), 0.0), (0.0, 0.0, rng.uniform(0, 6)))

    return place


def stacked(look: Callable[[Random], Any]) -> Placer:
    """Folded garments or blankets in a pile: soft slabs with rounded edges."""

    def place(scene: Any, rng: Random) -> None:
        height = 0.0
        for _ in range(rng.randint(1, 4)):
            mesh = mesh_of(slab(rng, rng.uniform(3.0, 4.0), rng.uniform(2.2, 3.2), rng.uniform(0.35, 0.7)), [look(rng)])
            add(mesh, (rng.gauss(0, 0.1), rng.gauss(0, 0.1), height), (0.0, 0.0, rng.gauss(0, 0.08)))
            height += max(vertex.co.z for vertex in mesh.vertices) * 0.95

    return place


def slab(rng: Random, width: float, length: float, height: float) -> Shape:
    """A folded cloth: a soft block, its sides in layers."""
    rows, columns = 24, 96
    part, turn = np.meshgrid(
        np.linspace(-1, 1, rows), np.linspace(0, 2 * math.pi, columns, endpoint=False), indexing="ij"
    )
    b, a = part.ravel(), turn.ravel()
    reach = np.clip(1 - np.abs(b) ** 5, 0, 1) ** 0.35 * (1 + 0.018 * np.cos(b * 14))
    x = np.sign(np.cos(a)) * np.abs(np.cos(a)) ** 0.25 * reach * width / 2
    y = np.sign(np.sin(a)) * np.abs(np.sin(a)) ** 0.25 * reach * length / 2
    verts = np.stack([x, y, (b + 1) * height / 2], 1)
    verts[:, 2] += 0.06 * ripple(rng, verts * 1.2) * (b > -0.5)
    shape = Shape(verts, quads(rows, columns, closed=True), verts.copy(), np.full(len(b), 0.3))
    shape.grain[:, 1] += shape.verts[:, 2]
    return shape
