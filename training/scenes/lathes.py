"""Meshes of revolution and lumps: bowls, bags, plaques, beads, chess pieces, pebbles. Lengths in units of 10 cm."""

from __future__ import annotations

import math
from random import Random

import numpy as np

from training.scenes.shapes import Array, Shape, quads, ripple


def turned(profile: Array, sides: int = 48, wobble: Array | None = None) -> Shape:
    """A profile of (radius, height) points, bottom to top, turned about the vertical.

    `wobble` multiplies the radius: (points, sides). Grain is position over the largest radius; along runs 0 to 1.
    """
    angle = np.linspace(0, 2 * math.pi, sides, endpoint=False)
    reach = profile[:, :1] * (np.ones((len(profile), sides)) if wobble is None else wobble)
    x, y = reach * np.cos(angle), reach * np.sin(angle)
    z = np.repeat(profile[:, 1:], sides, 1)
    verts = np.stack([x.ravel(), y.ravel(), z.ravel()], 1)
    along = np.repeat(np.linspace(0.0, 1.0, len(profile)), sides)
    return Shape(verts, quads(len(profile), sides, closed=True), verts / float(profile[:, 0].max()), along)


def smooth(points: list[tuple[float, float]], steps: int = 8) -> Array:
    """A rounded line through (radius, height) points (Catmull-Rom), radii never below 0."""
    knots = np.array([points[0], *points, points[-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        parts.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    line = np.concatenate([*parts, knots[-1:]])
    line[:, 0] = np.clip(line[:, 0], 0.0, None)
    return line


def disc(radius: float, height: float, edge: float) -> Shape:
    """A round plaque or coaster standing on height 0, its rims rounded over `edge`."""
    profile = [(0.0, 0.0), (radius - edge, 0.0), (radius, edge), (radius, height - edge)]
    profile += [(radius - edge, height), (radius * 0.5, height), (0.0, height)]
    return turned(np.array(profile), 64)


def bowl(rng: Random, radius: float, depth: float) -> Shape:
    """An open bowl standing on height 0, with a foot; wall about a fifteenth of the radius."""
    foot, belly, wall = rng.uniform(0.4, 0.7), rng.uniform(0.8, 1.0), radius * 0.07
    outer = [(0.0, 0.0), (foot * radius, 0.0), (belly * radius, depth * 0.5), (radius, depth)]
    inner = [(radius - wall, depth), (belly * radius - wall, depth * 0.5), (foot * radius - wall, wall), (0.0, wall)]
    return turned(np.concatenate([smooth(outer), smooth(inner)]), 56)


def bag(rng: Random, radius: float, depth: float) -> Shape:
    """An open sack standing on height 0: slack walls in folds, the mouth rolled outwards."""
    wall = radius * 0.03
    outer = [(0.0, 0.0), (radius * 0.9, 0.0), (radius * 1.08, depth * 0.3), (radius * 0.98, depth * 0.75)]
    roll = [(radius * 1.1, depth * 0.86), (radius * 1.06, depth), (radius * 0.94, depth * 0.92)]
    inner = [(radius * 0.93, depth * 0.6), (radius * 1.02, depth * 0.3), (radius * 0.85, wall), (0.0, wall)]
    line = smooth(outer + roll + inner)
    sides = 90
    angle = np.tile(np.linspace(0, 2 * math.pi, sides, endpoint=False), len(line))
    height = np.repeat(line[:, 1], sides) / depth
    folds = ripple(rng, np.stack([np.cos(angle) * 3.2, np.sin(angle) * 3.2, height * 1.6], 1), 5)
    made = turned(line, sides, (1 + 0.07 * folds * np.clip(height * 2, 0, 1)).reshape(len(line), sides))
    made.verts[:, 2] *= 1 + 0.08 * ripple(rng, made.verts * 1.2)
    return made


def pebble(rng: Random, size: float, cuts: int = 0, rough: float = 0.14) -> Shape:
    """A lump about `size` across: uneven, flattened, with `cuts` flat faces hewn off."""
    rows, columns = 30, 40
    turn, part = np.meshgrid(np.linspace(0, 2 * math.pi, columns, endpoint=False), np.linspace(0, math.pi, rows))
    a, b = turn.ravel(), part.ravel()
    round_one = np.stack([np.sin(b) * np.cos(a), np.sin(b) * np.sin(a), -np.cos(b)], 1)
    verts = round_one * (1 + rough * ripple(rng, round_one * 1.3))[:, None]
    for _ in range(cuts):
        way = np.array([rng.gauss(0, 1) for _ in range(3)])
        way /= np.linalg.norm(way)
        over = np.clip(verts @ way - rng.uniform(0.35, 0.75), 0, None)
        verts -= over[:, None] * way
    verts *= 1 + 0.03 * ripple(rng, verts * 4)[:, None]
    verts *= np.array([1.0, rng.uniform(0.6, 0.95), rng.uniform(0.45, 0.8)]) * size / 2
    return Shape(verts, quads(rows, columns, closed=True), verts[:, [1, 2, 0]] * 2 / size, b / math.pi)
