"""Combs, glasses, boxes and bangles: the goods made of tortoiseshell, and placers that make them of anything."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from training.scenes import lookalikes, shapes, stones
from training.scenes.cords import join, moved, tube
from training.scenes.materials import tint
from training.scenes.nodes import Colour, Graph
from training.scenes.placers import Placer
from training.scenes.shapes import Array, Shape, box, grid, plate
from training.scenes.studio import add, mesh_of

Look = Callable[[Random], Any]


def tortoiseshell(rng: Random) -> Any:
    """Polished hawksbill shell: translucent amber with soft-edged brown to black clouds."""
    g = Graph("tortoiseshell")
    amber = tint(rng, rng.choice([(0.62, 0.30, 0.06), (0.50, 0.20, 0.03), (0.72, 0.46, 0.16)]), 0.15)
    dark = tint(rng, (0.035, 0.012, 0.006), 0.3)
    scale = rng.uniform(1.5, 3.5)
    cloud = g.noise(g.grain(), scale, 4.0, 1.2, 0.55)
    dots = g.noise(g.grain(), scale * 18, 2.0)
    tone = g.math("ADD", cloud, g.math("MULTIPLY", g.math("SUBTRACT", dots, 0.5), 0.18))
    share = rng.uniform(-0.06, 0.08)
    brown = (amber[0] * 0.45, amber[1] * 0.32, amber[2] * 0.3)
    colour = g.ramp(tone, [(0.42 + share, amber), (0.5 + share, brown), (0.58 + share, dark)])
    return g.finish(
        colour, 0.12, Subsurface_Weight=0.15, Subsurface_Scale=0.1, Coat_Weight=0.6, Transmission_Weight=0.15
    )


def plain_plastic(rng: Random) -> Any:
    """Even plastic: black, brown, clear-looking grey, red, blue, white."""
    palette: list[Colour] = [(0.015, 0.015, 0.015), (0.07, 0.03, 0.015), (0.5, 0.02, 0.03), (0.02, 0.05, 0.25)]
    palette += [(0.7, 0.68, 0.62), (0.35, 0.18, 0.05)]
    return lookalikes.resin(rng, rng.choice(palette))


def horn(rng: Random) -> Any:
    """Polished cattle horn: streaks of cream, grey and black."""
    g = Graph("polished horn")
    streak = g.noise(g.grain((1.0, 5.0, 1.0)), 1.0, 5.0, 1.0)
    stops = [(0.35, (0.02, 0.016, 0.013)), (0.5, tint(rng, (0.24, 0.17, 0.1))), (0.68, tint(rng, (0.6, 0.5, 0.34)))]
    return g.finish(g.ramp(streak, [(place, colour) for place, colour in stops]), 0.2, Coat_Weight=0.4)


def comb(rng: Random) -> Shape:
    """A comb lying flat: an arched or straight back, sometimes ornate, and its teeth. 8 to 16 cm wide."""
    width, deep, thick = rng.uniform(0.8, 1.6), rng.uniform(0.25, 0.6), rng.uniform(0.03, 0.05)
    arch, waves = rng.uniform(0.0, 0.35) * deep, rng.choice([0, 0, 5, 7])
    u, v = grid(14, 61)
    top = deep + arch * (1 - u**2) + 0.05 * (np.cos(u * math.pi * waves) if waves else 0.0) * deep
    verts = np.stack([u * width / 2, v * top, np.zeros(len(u))], 1)
    back = plate(verts, np.full(len(u), thick), verts * 3, v, 14, 61)
    count, length = rng.randint(10, 30), rng.uniform(0.4, 1.0)
    step = width / count
    tooth = box((step * rng.uniform(0.4, 0.6), length, thick * 0.9))
    parts = [back]
    for i in range(count):
        x = -width / 2 + (i + 0.5) * step
        one = moved(tooth, (x, -length / 2 + 0.01, -thick / 2))
        one.grain = one.verts * 3
        parts.append(one)
    made = join(parts)
    bow = rng.choice([0.0, rng.uniform(0.1, 0.3)])
    made.verts[:, 2] -= bow * made.verts[:, 0] ** 2
    made.slots, made.smooth = [], False
    return made


def glasses(rng: Random) -> Shape:
    """Frames of glasses resting on their rims and the tips of their arms."""
    wide, high, rim = rng.uniform(0.46, 0.56), rng.uniform(0.36, 0.48), rng.uniform(0.022, 0.04)
    square = rng.uniform(0.55, 1.0)
    a = np.linspace(0, 2 * math.pi, 64, endpoint=False)
    cos, sin = np.cos(a), np.sin(a)
    outline = np.stack(
        [np.sign(cos) * np.abs(cos) ** square * wide / 2, 0 * a, np.sign(sin) * np.abs(sin) ** square * high / 2], 1
    )
    gap = rng.uniform(0.16, 0.22)
    offset = (wide + gap) / 2
    parts = [moved(tube(outline, rim, True), (side * offset, 0.0, high / 2 + rim)) for side in (-1, 1)]
    t = np.linspace(-1, 1, 20)
    bridge = np.stack([t * (gap / 2 + rim), 0 * t, high * 0.72 + 0.05 * (1 - t**2)], 1)
    parts.append(tube(bridge, rim * 0.9))
    folded = rng.random() < 0.35
    for side in (-1, 1):
        x, z = side * (offset + wide / 2 + rim), high * 0.78
        arm = [
            (x, 0.0, z),
            (x, 0.06, z),
            (x, 0.9, z * 0.6),
            (x - side * 0.02, 1.2, z * 0.35),
            (x - side * 0.05, 1.4, 0.03),
        ]
        if folded:
            y = 0.07 + 0.05 * (side > 0)
            arm = [(x, 0.0, z), (x, y, z), (x - side * 0.9, y, z * 0.8), (x - side * 1.3, y + 0.02, z * 0.35)]
        parts.append(tube(_dense(arm), rim * np.linspace(1.0, 0.75, 40)))
    made = join(parts)
    made.grain = made.verts * 3
    return made


def _dense(points: list[tuple[float, float, float]]) -> Array:
    """Forty points along a polyline, its corners rounded."""
    line = np.array(points)
    passed = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    where = np.linspace(0, passed[-1], 40)
    made = np.stack([np.interp(where, passed, line[:, axis]) for axis in range(3)], 1)
    made[1:-1] = (made[:-2] + made[1:-1] + made[2:]) / 3
    return made


def casket(rng: Random) -> Shape:
    """A small box with a lid that juts out a little; 8 to 18 cm."""
    x, y, z = rng.uniform(0.8, 1.8), rng.uniform(0.6, 1.1), rng.uniform(0.25, 0.6)
    lid = rng.uniform(0.06, 0.12)
    parts = [moved(box((x, y, z)), (0, 0, z / 2)), moved(box((x * 1.04, y * 1.06, lid)), (0, 0, z + lid / 2 + 0.01))]
    if rng.random() < 0.6:
        parts.append(moved(box((x * 0.8, y * 0.8, lid * 0.5)), (0, 0, z + lid * 1.25)))
    made = join(parts)
    made.grain = made.verts * 2.5
    return made


def bangle(rng: Random) -> Shape:
    """A bangle."""
    shape = shapes.bangle(rng, rng.uniform(0.34, 0.4), rng.uniform(0.1, 0.3), rng.uniform(0.06, 0.12))
    shape.grain = shape.verts * 3
    return shape


def laid(make: Callable[[Random], Shape], look: Look, number: tuple[int, int], gap: float) -> Placer:
    """`number` (from, to) things lying side by side, `gap` units apart, all of one material or each of its own."""

    def place(scene: Any, rng: Random) -> None:
        count, one = rng.randint(*number), look(rng)
        own, spin = rng.random() < 0.5, rng.uniform(-0.7, 0.7)
        for i in range(count):
            mesh = mesh_of(make(rng), [look(rng) if own else one])
            low = min(vertex.co.z for vertex in mesh.vertices)
            add(mesh, ((i - (count - 1) / 2) * gap, rng.gauss(0, 0.1), -low), (0.0, 0.0, spin + rng.gauss(0, 0.2)))

    return place


GOODS: dict[str, tuple[Callable[[Random], Shape], tuple[int, int], float]] = {
    "combs": (comb, (1, 3), 1.8),
    "glasses": (glasses, (1, 2), 1.7),
    "box": (casket, (1, 1), 1.0),
    "bangles": (bangle, (1, 4), 0.85),
}
"""Thing, how many, and the gap between them."""

PLAIN: dict[str, Look] = {"plastic": plain_plastic, "wood": stones.dark_wood, "horn": horn, "metal": stones.metal}
"""What the same goods are made of when they are no tortoiseshell."""
