"""Placers of small worked things in any material: beads, seals, chess pieces, carvings, pendants on a cord."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from training.scenes import carvings, cords, stones
from training.scenes.placers import Placer
from training.scenes.shapes import Array, Shape, quads
from training.scenes.studio import COMPANION, add, mesh_of
from training.scenes.teeth import RING

Look = Callable[[Random], Any]
"""Makes a material."""

Form = Callable[[Random], Shape]
"""Makes a tooth or claw, its rings of `teeth.RING` vertices, base at the start (see tubes.sweep)."""


def _companion(
    shape: Shape, material: Any, place: tuple[float, float, float] = (0.0, 0.0, 0.0), turn: float = 0.0
) -> None:
    """Add a cord, cap or thread: no subject, but moved with it."""
    add(mesh_of(shape, [material]), place, (0.0, 0.0, turn), index=0)[COMPANION] = True


def _standing(mesh: Any, x: float, y: float, turn: float) -> None:
    """Put a mesh upright on the floor."""
    low = min(vertex.co.z for vertex in mesh.vertices)
    add(mesh, (x, y, -low), (0.0, 0.0, turn))


def beads(look: Look) -> Placer:
    """A necklace, a bracelet or a handful of loose beads."""

    def place(scene: Any, rng: Random) -> None:
        radius = rng.uniform(0.06, 0.14)
        materials = [look(rng) for _ in range(2)]
        meshes = [mesh_of(carvings.bead(rng, radius), [rng.choice(materials)]) for _ in range(rng.choice([1, 1, 3]))]
        if rng.random() < 0.2:
            _loose(rng, meshes, radius)
            return
        size = rng.uniform(0.7, 0.9) if rng.random() < 0.4 else rng.uniform(1.5, 2.6)
        for turns in range(rng.choice([1, 1, 2])):
            line = cords.loop(rng, size * (1 - 0.25 * turns), size * rng.uniform(0.6, 1.0) * (1 - 0.25 * turns), radius)
            _thread(rng, meshes, cords.even(line, radius * 2.02))
            _companion(cords.tube(line, radius * 0.15, True), stones.cord(rng))

    return place


def _thread(rng: Random, meshes: list[Any], spots: Array) -> None:
    """Beads at `spots` of a closed line, holes along it."""
    ahead = np.roll(spots, -1, 0) - np.roll(spots, 1, 0)
    for i, (spot, way) in enumerate(zip(spots, ahead, strict=True)):
        made = add(meshes[i % len(meshes)], tuple(spot), (0.0, math.pi / 2, math.atan2(way[1], way[0])))
        made.rotation_euler.x += rng.uniform(-0.1, 0.1)


def _loose(rng: Random, meshes: list[Any], radius: float) -> None:
    """Beads strewn over the floor, none in another."""
    spots: list[tuple[float, float]] = []
    for _ in range(rng.randint(20, 80)):
        x, y = rng.gauss(0, 0.5), rng.gauss(0, 0.5)
        if all(math.hypot(x - other[0], y - other[1]) > radius * 2.1 for other in spots):
            spots.append((x, y))
            add(rng.choice(meshes), (x, y, radius), (rng.uniform(0, 6), rng.uniform(0, 6), 0.0))


def seals(look: Look) -> Placer:
    """One to four seals, lying or standing, most with red ink on one end."""

    def place(scene: Any, rng: Random) -> None:
        number = rng.randint(1, 4)
        for i in range(number):
            material = look(rng)
            end = stones.seal_ink(rng) if rng.random() < 0.75 else material
            length, radius = rng.uniform(0.55, 0.8), rng.uniform(0.06, 0.12)
            mesh = mesh_of(carvings.seal(rng, length, radius), [material, end])
            across = (i - (number - 1) / 2) * 0.34
            if rng.random() < 0.3:
                upright = rng.choice([-1, 1]) * math.pi / 2
                add(mesh, (across, rng.gauss(0, 0.1), length / 2), (0.0, upright, 0.0))
            else:
                way = math.pi / 2 + rng.gauss(0, 0.25)
                add(mesh, (across, rng.gauss(0, 0.06), radius), (0.0, 0.0, way))

    return place


def chess(look: Look) -> Placer:
    """Three to ten chess pieces of one set, some of a second colour, one or two lying."""

    def place(scene: Any, rng: Random) -> None:
        plump = rng.uniform(0.85, 1.2)
        sides = [look(rng), rng.choice([look, stones.dark_wood])(rng)]
        spots: list[tuple[float, float]] = []
        for _ in range(rng.randint(3, 10)):
            x, y = rng.uniform(-1.4, 1.4), rng.uniform(-1.0, 1.0)
            if any(math.hypot(x - a, y - b) < 0.68 for a, b in spots):
                continue
            spots.append((x, y))
            name = rng.choice(list(carvings.PIECES))
            mesh = mesh_of(carvings.chess_piece(rng, name, plump), [sides[0 if rng.random() < 0.7 else 1]])
            if rng.random() < 0.12:
                add(mesh, (x, y, 0.28 * plump), (math.pi / 2, 0.0, rng.uniform(0, 6)))
            else:
                _standing(mesh, x, y, rng.uniform(0, 6))

    return place


def carving(look: Look, form: str | None = None) -> Placer:
    """One to three carvings of `form` (default: any of carvings.FORMS), facing the camera roughly."""

    def place(scene: Any, rng: Random) -> None:
        make, low, high = carvings.FORMS[form or rng.choice(list(carvings.FORMS))]
        number = rng.choice([1, 1, 2, 3])
        material, size = stones.shaded(look(rng), rng.uniform(0.3, 0.8)), rng.uniform(low, high)
        for i in range(number):
            mesh = mesh_of(make(rng, size * rng.uniform(0.85, 1.0)), [material])
            _standing(mesh, (i - (number - 1) / 2) * size * 0.75, rng.gauss(0, 0.1), rng.gauss(0, 0.5))

    return place


def cap(shape: Shape, reach: float) -> Shape:
    """A metal cap over the first `reach` (0..1) of a tooth, cut from its own rings, a little wider and closed."""
    rings = shape.verts.reshape(-1, RING, 3)
    along = shape.along.reshape(-1, RING)[:, 0]
    first = sum(shape.slots) // RING
    chosen = [i for i in range(first, len(rings)) if along[i] <= reach][::2]
    middle = rings[chosen].mean(axis=1, keepdims=True)
    wide = middle + (rings[chosen] - middle) * 1.07
    back = (middle[:1] - middle[-1:]) / np.linalg.norm(middle[0] - middle[-1]) * 0.03
    closed = np.concatenate([np.repeat(middle[:1] + back, RING, 1), wide[:1] + back, wide])
    verts = closed.reshape(-1, 3)
    faces = [face[::-1] for face in quads(len(closed), RING, closed=True)]
    return Shape(verts, faces, verts.copy(), np.zeros(len(verts)))


def pendants(form: Form, looks: list[Look], number: tuple[int, int] = (1, 1)) -> Placer:
    """Teeth or claws with a metal cap, on a cord laid as a loop; `looks` are the materials of skin and root."""

    def place(scene: Any, rng: Random) -> None:
        metal, thread = stones.metal(rng), stones.cord(rng)
        count = rng.randint(*number)
        for i in range(count):
            shape = form(rng)
            low = float(shape.verts[:, 2].min()) * 1.07
            spot, turn = ((i - (count - 1) / 2) * 0.7, rng.gauss(0, 0.05), -low), rng.uniform(-0.6, 0.6) - math.pi / 2
            start = shape.verts[:RING].mean(axis=0)
            add(mesh_of(shape, [look(rng) for look in looks]), spot, (0.0, 0.0, turn))
            if rng.random() < 0.85:
                _companion(cap(shape, rng.uniform(0.1, 0.25)), metal, spot, turn)
            if i == count // 2:
                wide, deep = rng.uniform(0.5, 1.1), rng.uniform(0.8, 1.4)
                line = cords.loop(rng, deep, wide, 0.02 + low)
                line[:, :2] += start[:2] - line[0, :2]
                _companion(cords.tube(line, rng.uniform(0.012, 0.03), True), thread, spot, turn)
                _companion(_ring(start), metal, spot, turn)

    return place


def _ring(start: Array) -> Shape:
    """The small ring that holds a cap to its cord, upright at `start`."""
    a = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    path = start + np.stack([0.05 * np.cos(a) - 0.05, np.zeros(24), 0.05 * np.sin(a)], 1)
    return cords.tube(path, 0.012, True, 8)


def loose(form: Form, looks: list[Look], number: tuple[int, int]) -> Placer:
    """Loose teeth or claws side by side, `number` from and to."""

    def place(scene: Any, rng: Random) -> None:
        count, facing = rng.randint(*number), rng.uniform(0, 6)
        for i in range(count):
            mesh = mesh_of(form(rng), [look(rng) for look in looks])
            low = min(vertex.co.z for vertex in mesh.vertices)
            x, y = (i % 5 - (min(count, 5) - 1) / 2) * 0.45, (i // 5) * 1.0
            add(mesh, (x + rng.gauss(0, 0.03), y + rng.gauss(0, 0.05), -low), (0.0, 0.0, facing + rng.gauss(0, 0.25)))

    return place
