"""Meshes of small things (scale, almond, chip, leaf, bangle) as plain arrays; nothing here needs Blender.

Lengths are scene units, one unit being about 10 cm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Face = tuple[int, ...]


@dataclass
class Shape:
    """A mesh with the coordinates its material needs.

    verts: (n, 3) positions in scene units. faces: vertex indices. grain: (n, 3) texture coordinates whose last axis
    runs along the fibres. along: (n,) 0 at the base to 1 at the tip, above 1 inside a hollow. slots: material index
    per face (empty: all 0). smooth: whether shading is interpolated.
    """

    verts: Array
    faces: list[Face]
    grain: Array
    along: Array
    slots: list[int] = field(default_factory=list)
    smooth: bool = True


def quads(rows: int, columns: int, start: int = 0, closed: bool = False) -> list[Face]:
    """Faces of a grid of `rows` by `columns` vertices numbered row by row; `closed` joins last column to first."""
    last = columns if closed else columns - 1
    return [
        (
            start + i * columns + j,
            start + i * columns + (j + 1) % columns,
            start + (i + 1) * columns + (j + 1) % columns,
            start + (i + 1) * columns + j,
        )
        for i in range(rows - 1)
        for j in range(last)
    ]


def ripple(rng: Random, values: Array, waves: int = 4) -> Array:
    """Smooth random wobble of about -1..1 over (n, 3) points, from a few sine waves."""
    total = np.zeros(len(values))
    for step in range(1, waves + 1):
        direction = np.array([rng.gauss(0, 1) for _ in range(3)]) * step
        total += np.sin(values @ direction + rng.uniform(0, 2 * math.pi)) / step
    return total / 2.0


def plate(top: Array, thickness: Array, grain: Array, along: Array, rows: int, columns: int) -> Shape:
    """Close a surface grid into a thin solid: the same grid again, `thickness` lower, plus the rim."""
    under = top.copy()
    under[:, 2] -= thickness
    count = rows * columns
    faces = quads(rows, columns) + [face[::-1] for face in quads(rows, columns, count)]
    rim = [i * columns for i in range(rows)] + [(rows - 1) * columns + j for j in range(1, columns)]
    rim += [i * columns + columns - 1 for i in range(rows - 2, -1, -1)] + list(range(columns - 2, 0, -1))
    for here, there in zip(rim, rim[1:] + rim[:1], strict=True):
        faces.append((there, here, here + count, there + count))
    slots = [0] * (count - rows - columns + 1) + [1] * (count - rows - columns + 1) + [0] * len(rim)
    both = np.concatenate([grain, grain + np.array([0.0, 11.0, 0.0])])
    return Shape(np.concatenate([top, under]), faces, both, np.concatenate([along, along]), slots)


def grid(rows: int, columns: int) -> tuple[Array, Array]:
    """Grid parameters u in -1..1 (across) and v in 0..1 (along), flattened row by row."""
    v, u = np.meshgrid(np.linspace(0.0, 1.0, rows), np.linspace(-1.0, 1.0, columns), indexing="ij")
    return u.ravel(), v.ravel()


def pangolin_scale(rng: Random, length: float) -> Shape:
    """One loose scale: broad rounded base, converging sides, blunt or worn tip, arched, with a weak keel."""
    rows, columns = 22, 15
    u, v = grid(rows, columns)
    base, tip = rng.uniform(0.2, 0.32), rng.uniform(0.5, 0.85)
    outline = np.clip(v, 0.004, 1) ** base * np.clip(1 - v, 0.004, 1) ** tip
    peak = base / (base + tip)
    width = length * rng.uniform(0.34, 0.47) * outline / (peak**base * (1 - peak) ** tip)
    arch, curl, keel = rng.uniform(0.03, 0.09), rng.uniform(-0.02, 0.09), rng.uniform(0.0, 0.05)
    x = u * width + length * rng.uniform(-0.06, 0.06) * np.sin(v * 2)
    edge = 1 + 0.035 * ripple(rng, np.stack([u * 3, v * 6, u * 0], 1), 5) * np.abs(u)
    z = length * (arch * (1 - u**2) * (0.4 + outline) + curl * np.sin(v * math.pi) + keel * (1 - np.abs(u)) ** 3)
    verts = np.stack([x * edge, length * (v - 0.45), z], 1)
    verts[:, 2] += 0.012 * length * ripple(rng, verts * 8 / length)
    thickness = length * (0.010 + 0.045 * (1 - u**2) * (1 - 0.6 * v))
    return plate(verts, thickness, np.stack([u, v * 0 + rng.uniform(0, 9), v], 1), v, rows, columns)


def leaf(rng: Random, length: float) -> Shape:
    """A dry leaf: pointed both ends, folded along its middle and curled."""
    rows, columns = 20, 9
    u, v = grid(rows, columns)
    width = length * rng.uniform(0.2, 0.32) * np.sin(math.pi * np.clip(v, 0.01, 0.99)) ** rng.uniform(0.7, 1.1)
    fold, curl = rng.uniform(0.1, 0.7), rng.uniform(0.05, 0.3)
    z = np.abs(u) * width * fold + length * curl * (1 - np.cos((v - 0.5) * 2)) * 2
    verts = np.stack([u * width, length * (v - 0.5), z], 1)
    verts[:, 2] += 0.03 * length * ripple(rng, verts * 6 / length)
    return plate(verts, np.full(len(u), 0.006 * length), np.stack([u, v * 0, v], 1), v, rows, columns)


def wood_chip(rng: Random, length: float) -> Shape:
    """A flat splintery chip: uneven ends, slightly bent, fibres along its length."""
    rows, columns = 9, 8
    u, v = grid(rows, columns)
    width = length * rng.uniform(0.12, 0.32) * (1 - rng.uniform(0, 0.5) * np.abs(v - rng.random()))
    ends = np.array([rng.uniform(-0.07, 0.07) for _ in range(columns)])[
        np.round((u + 1) * (columns - 1) / 2).astype(int)
    ]
    y = length * (v - 0.5) + ends * length * (v - 0.5) * 2
    z = length * rng.uniform(-0.12, 0.25) * ((v - 0.5) ** 2) * 2 + width * rng.uniform(-0.3, 0.3) * u**2
    verts = np.stack([u * width, y, z], 1)
    verts += 0.012 * length * np.stack([ripple(rng, verts * 14 / length) for _ in range(3)], 1)
    made = plate(
        verts,
        length * rng.uniform(0.06, 0.16) * (1.15 - u**2 * 0.9),
        verts[:, [0, 2, 1]] * 3 / length,
        v,
        rows,
        columns,
    )
    made.smooth = False
    return made


def almond(rng: Random, length: float) -> Shape:
    """A shelled almond: a flattened drop, pointed at one end."""
    rows, columns = 18, 24
    turn, t = np.meshgrid(np.linspace(0, 2 * math.pi, columns, endpoint=False), np.linspace(0.0, 1.0, rows))
    angle, v = turn.ravel(), t.ravel()
    radius = np.clip(v, 0, 1) ** 0.5 * np.clip(1 - v, 0, 1) ** rng.uniform(0.75, 0.95) * 1.75
    half, thick = length * rng.uniform(0.27, 0.31), length * rng.uniform(0.16, 0.21)
    verts = np.stack([radius * half * np.cos(angle), length * (v - 0.45), radius * thick * np.sin(angle)], 1)
    verts *= 1 + 0.02 * ripple(rng, verts * 9 / length)[:, None]
    grain = np.stack([np.cos(angle), np.sin(angle), v], 1)
    return Shape(verts, quads(rows, columns, closed=True), grain, v)


def bangle(rng: Random, radius: float, width: float, wall: float) -> Shape:
    """A bangle lying flat: ring `radius` to the middle of the wall, `width` its height, `wall` its thickness.

    The section is a superellipse, from round wire to a flat band.
    """
    around, section = 96, 20
    turn, part = np.meshgrid(
        np.linspace(0, 2 * math.pi, around, endpoint=False),
        np.linspace(0, 2 * math.pi, section, endpoint=False),
        indexing="ij",
    )
    a, b = turn.ravel(), part.ravel()
    square = rng.uniform(0.55, 1.0)
    inward = np.sign(np.cos(b)) * np.abs(np.cos(b)) ** square * wall / 2
    height = np.sign(np.sin(b)) * np.abs(np.sin(b)) ** square * width / 2
    reach = radius * (1 + 0.012 * np.sin(2 * a + rng.uniform(0, 6))) + inward
    verts = np.stack([reach * np.cos(a), reach * np.sin(a), height], 1)
    faces = quads(around, section, closed=True)
    last = (around - 1) * section
    faces += [(last + j, last + (j + 1) % section, (j + 1) % section, j) for j in range(section)]
    return Shape(verts, faces, verts[:, [1, 2, 0]] / radius, (np.cos(a) + 1) / 2)


def box(size: tuple[float, float, float]) -> Shape:
    """A plain box centred on the origin, `size` in scene units; grain is position."""
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
    verts = signs * np.array(size) / 2
    faces: list[Face] = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return Shape(verts, faces, verts.copy(), signs[:, 0] / 2 + 0.5, smooth=False)
