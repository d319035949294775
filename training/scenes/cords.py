"""Meshes of thin round things along any line: cords, rims of glasses, wire. Lengths in units (about 10 cm)."""

from __future__ import annotations

import math
from random import Random

import numpy as np

from training.scenes.shapes import Array, Shape, quads

_LOOP = 160


def tube(path: Array, radius: Array | float, closed: bool = False, sides: int = 10) -> Shape:
    """A round tube along `path` (n, 3), of one radius or one for each point; `closed` joins its ends."""
    count = len(path)
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    if not closed:
        ahead[0], ahead[-1] = path[1] - path[0], path[-1] - path[-2]
    ahead /= np.linalg.norm(ahead, axis=1)[:, None]
    flat = np.abs(ahead[:, 2]).mean() < 0.6
    side = np.cross(ahead, np.array([0.0, 0.0, 1.0]) if flat else np.array([0.0, 1.0, 0.0]))
    side /= np.linalg.norm(side, axis=1)[:, None] + 1e-9
    up = np.cross(side, ahead)
    angle = np.linspace(0, 2 * math.pi, sides, endpoint=False)
    reach = np.broadcast_to(np.asarray(radius, dtype=np.float64), (count,))[:, None, None]
    around = np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * up[:, None]
    verts = (path[:, None] + reach * around).reshape(-1, 3)
    faces = quads(count, sides, closed=True)
    last = (count - 1) * sides
    if closed:
        faces += [(last + j, last + (j + 1) % sides, (j + 1) % sides, j) for j in range(sides)]
    else:
        faces += [tuple(range(sides))[::-1], tuple(range(last, last + sides))]
    return Shape(verts, faces, verts.copy(), np.repeat(np.linspace(0, 1, count), sides))


def loop(rng: Random, width: float, depth: float, height: float) -> Array:
    """A closed, uneven oval lying at `height`, `width` by `depth`: (160, 3), evenly spaced in angle."""
    a = np.linspace(0, 2 * math.pi, _LOOP, endpoint=False)
    reach = 1 + sum(rng.uniform(-0.12, 0.12) / k * np.cos(k * a + rng.uniform(0, 6)) for k in (2, 3, 4))
    return np.stack([width / 2 * reach * np.cos(a), depth / 2 * reach * np.sin(a), np.full(_LOOP, height)], 1)


def even(path: Array, step: float) -> Array:
    """Points of a closed line, about `step` apart: (n, 3)."""
    line = np.concatenate([path, path[:1]])
    passed = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    where = np.linspace(0, passed[-1], max(3, round(passed[-1] / step)), endpoint=False)
    return np.stack([np.interp(where, passed, line[:, axis]) for axis in range(3)], 1)


def join(parts: list[Shape]) -> Shape:
    """Several meshes as one; slots are kept."""
    starts = np.cumsum([0, *(len(part.verts) for part in parts)])
    faces = [
        tuple(i + int(start) for i in face) for part, start in zip(parts, starts, strict=False) for face in part.faces
    ]
    slots = [slot for part in parts for slot in (part.slots or [0] * len(part.faces))]
    return Shape(
        np.concatenate([part.verts for part in parts]),
        faces,
        np.concatenate([part.grain for part in parts]),
        np.concatenate([part.along for part in parts]),
        slots,
        all(part.smooth for part in parts),
    )


def moved(shape: Shape, by: tuple[float, float, float]) -> Shape:
    """`shape`, shifted."""
    return Shape(shape.verts + np.array(by), shape.faces, shape.grain, shape.along, shape.slots, shape.smooth)
