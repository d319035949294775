"""Many long things laid out by hand: rows on the ground, piles, crossed pairs; for seized tusks and their twins."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

from training.scenes import ink, lookalikes, materials, placers, teeth, tubes
from training.scenes.dentine import tooth
from training.scenes.placers import Placer
from training.scenes.settle import settle
from training.scenes.studio import add, mesh_of

Maker = Callable[[Random], Any]
"""Makes one mesh with its materials."""


def tusk(rng: Random) -> Any:
    """A raw tusk of any age, often with an ink number."""
    length = rng.uniform(3.2, 5.2)
    shape = tubes.tusk(rng, length, length * rng.uniform(0.055, 0.09), rng.uniform(0.4, 1.3), rng.random() < 0.7)
    skin = materials.raw_ivory(rng, rng.uniform(0.3, 1.0))
    if rng.random() < 0.4:
        skin = numbered(rng, skin)
    return mesh_of(shape, [skin, materials.ivory_section(rng)])


def marked_tusk(rng: Random) -> Any:
    """A raw tusk with an ink number."""
    length = rng.uniform(3.4, 5.0)
    shape = tubes.tusk(rng, length, length * rng.uniform(0.065, 0.09), rng.uniform(0.4, 1.2), rng.random() < 0.6)
    return mesh_of(
        shape, [numbered(rng, materials.raw_ivory(rng, rng.uniform(0.2, 0.7))), materials.ivory_section(rng)]
    )


def numbered(rng: Random, material: Any) -> Any:
    """`material` with an ink number, three times round so that one faces the camera."""
    return ink.inked(material, ink.number(rng), rng.uniform(0.05, 0.3), rng.uniform(0.4, 0.55), 3)


def log(rng: Random) -> Any:
    """A peeled pole or branch, sometimes with an ink number."""
    shape = tubes.branch(rng, rng.uniform(3.4, 5.0), rng.uniform(0.2, 0.34), rng.uniform(0.1, 1.0))
    bark = lookalikes.wood(rng, rng.choice([None, (0.55, 0.45, 0.3), (0.62, 0.52, 0.36)]))
    return mesh_of(shape, [numbered(rng, bark) if rng.random() < 0.3 else bark])


def pipe(rng: Random) -> Any:
    """A plastic pipe, white, cream or grey."""
    colour = rng.choice([(0.82, 0.82, 0.8), (0.75, 0.7, 0.55), (0.4, 0.4, 0.4), (0.6, 0.3, 0.12)])
    skin = lookalikes.resin(rng, colour)
    skin = numbered(rng, skin) if rng.random() < 0.3 else skin
    return mesh_of(teeth.pipe(rng, rng.uniform(3.0, 4.8), rng.uniform(0.16, 0.34)), [skin])


def cattle_horn(rng: Random) -> Any:
    """A cattle horn."""
    length = rng.uniform(3.0, 4.4)
    shape = tubes.cow_horn(rng, length, length * rng.uniform(0.065, 0.09), rng.uniform(0.7, 1.9))
    return mesh_of(shape, [lookalikes.cattle_horn(rng), lookalikes.dark_hollow(rng)])


def banana(rng: Random) -> Any:
    """A banana."""
    return mesh_of(tubes.banana(rng, rng.uniform(3.4, 4.4), rng.uniform(0.26, 0.34)), [lookalikes.banana_peel(rng)])


def _lay(mesh: Any, x: float, y: float, turn: float, height: float = 0.0) -> None:
    """Lay a mesh flat with its lowest point at `height`."""
    low = min(vertex.co.z for vertex in mesh.vertices)
    add(mesh, (x, y, height - low - 0.01), (0.0, 0.0, turn))


def rows(make: Maker, count: tuple[int, int]) -> Placer:
    """One to three rows of many things side by side, all one way; six different meshes are repeated."""

    def place(scene: Any, rng: Random) -> None:
        meshes = [make(rng) for _ in range(6)]
        number = rng.randint(*count)
        ranks = max(math.ceil(number / 9), rng.choice([1, 1, 2]))
        gap, facing, spin = rng.uniform(0.75, 1.1), rng.choice([0.0, math.pi]), rng.uniform(-0.5, 0.5)
        upright = rng.choice([0.0, math.pi / 2])
        for i in range(number):
            rank, spot = i % ranks, i // ranks
            across = (spot - (number / ranks - 1) / 2) * gap + rng.gauss(0, 0.05)
            along = (rank - (ranks - 1) / 2) * 5.0 + rng.gauss(0, 0.15)
            way = spin + upright
            x, y = along * math.cos(way) - across * math.sin(way), along * math.sin(way) + across * math.cos(way)
            _lay(rng.choice(meshes), x, y, way + facing + rng.gauss(0, 0.06))

    return place


def pile(make: Maker) -> Placer:
    """A stack like firewood, each layer one thing narrower than the one below."""

    def place(scene: Any, rng: Random) -> None:
        meshes = [make(rng) for _ in range(6)]
        width, layers, way = rng.randint(4, 6), rng.randint(2, 3), rng.uniform(0, 2 * math.pi)
        for layer in range(layers):
            for i in range(width - layer):
                across = (i - (width - layer - 1) / 2) * 0.8 + rng.gauss(0, 0.05)
                turn = way + rng.gauss(0, 0.08) + rng.choice([0.0, math.pi])
                _lay(rng.choice(meshes), -math.sin(way) * across, math.cos(way) * across, turn, 0.5 * layer)

    return place


def crossed(make: Maker) -> Placer:
    """Two things, one across the other."""

    def place(scene: Any, rng: Random) -> None:
        way, open_by = rng.uniform(0, 2 * math.pi), rng.uniform(0.35, 0.8)
        _lay(make(rng), 0.0, 0.0, way - open_by)
        mesh = make(rng)
        _lay(mesh, rng.gauss(0, 0.1), rng.gauss(0, 0.1), way + open_by + rng.choice([0.0, math.pi]), 0.5)

    return place


def few(make: Maker, count: tuple[int, int], gap: float = 0.9) -> Placer:
    """A few things side by side that fell into place, `count` from and to."""

    def place(scene: Any, rng: Random) -> None:
        placers.row(scene, rng, [make(rng) for _ in range(rng.randint(*count))], gap, 0.5)

    return place


def cut(make: Maker, count: tuple[int, int]) -> Placer:
    """Sawn sections in a heap, `count` from and to."""

    def place(scene: Any, rng: Random) -> None:
        meshes = [make(rng) for _ in range(rng.randint(*count))]
        things = [
            add(mesh, (rng.gauss(0, 0.4), rng.gauss(0, 0.4), 0.5 + 0.4 * i), placers.tumble(rng))
            for i, mesh in enumerate(meshes)
        ]
        settle(scene, things, 60 + 6 * len(things), damping=0.95)

    return place


def section(rng: Random) -> Any:
    """A sawn section of a tusk, sometimes a thin slice."""
    length = rng.choice([rng.uniform(0.2, 0.5), rng.uniform(0.6, 1.6)])
    skin = materials.raw_ivory(rng, rng.uniform(0.2, 0.9))
    return mesh_of(tubes.tusk_piece(rng, length, rng.uniform(0.3, 0.5)), [skin, materials.ivory_section(rng)])


def log_section(rng: Random) -> Any:
    """A sawn section of a branch or a plastic rod."""
    skin = lookalikes.wood(rng) if rng.random() < 0.7 else lookalikes.resin(rng, (0.8, 0.77, 0.68))
    return mesh_of(tubes.tusk_piece(rng, rng.uniform(0.2, 1.6), rng.uniform(0.25, 0.5)), [skin, skin])


def tooth_like(form: Callable[[Random, float], Any], length: tuple[float, float], drawn: float = 0.0) -> Maker:
    """Teeth of `form`, `length` from and to; a share `drawn` of them with scrimshaw."""

    def make(rng: Random) -> Any:
        skin = tooth(rng, rng.uniform(0, 0.35) if drawn else None)
        if rng.random() < drawn:
            skin = ink.inked(skin, ink.scrimshaw(rng), rng.uniform(0.1, 0.2), rng.uniform(0.5, 0.65), 2, 0.8)
        return mesh_of(form(rng, rng.uniform(*length)), [skin, materials.ivory_section(rng)])

    return make


def form_of(
    form: Callable[[Random, float], Any], length: tuple[float, float], material: Callable[[Random], Any]
) -> Maker:
    """Things of `form`, `length` from and to, all of one `material`."""
    return lambda rng: mesh_of(form(rng, rng.uniform(*length)), [material(rng)])
