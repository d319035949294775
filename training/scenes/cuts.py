"""Placers of rhino horn cut up or mounted, and of the wood, stone and cattle horn that look like it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from training.scenes import lookalikes, materials, placers, teeth, tubes
from training.scenes.lathes import disc, pebble
from training.scenes.lots import Maker
from training.scenes.materials import tint
from training.scenes.nodes import Colour, Graph
from training.scenes.placers import Placer
from training.scenes.settle import settle
from training.scenes.shapes import box
from training.scenes.studio import COMPANION, add, mesh_of


def dark_stone(rng: Random) -> Any:
    """A dark pebble or lump of coal: grey to brown-black, speckled."""
    g = Graph("dark stone")
    palette: list[Colour] = [(0.05, 0.048, 0.045), (0.11, 0.085, 0.065), (0.02, 0.02, 0.022), (0.16, 0.15, 0.14)]
    base = tint(rng, rng.choice(palette))
    cloud, grit = g.noise(g.grain(), 1.6, 8.0, 0.6), g.noise(g.grain(), 14.0, 4.0)
    tone = g.math("ADD", g.math("MULTIPLY", cloud, 0.6), g.math("MULTIPLY", grit, 0.4))
    light = (min(1.0, base[0] * 2.0), min(1.0, base[1] * 2.0), min(1.0, base[2] * 2.0))
    colour = g.ramp(tone, [(0.35, (base[0] * 0.5, base[1] * 0.5, base[2] * 0.5)), (0.55, base), (0.7, light)])
    return g.finish(colour, rng.uniform(0.3, 0.9), g.bump(tone, 0.5, 0.03))


def horn_piece(rng: Random) -> Any:
    """A sawn chunk of rhino horn, 5 to 12 cm."""
    shape = teeth.horn_piece(rng, rng.uniform(0.5, 1.2), rng.uniform(0.3, 0.6), rng.uniform(0.05, 0.4))
    return mesh_of(shape, [materials.rhino_keratin(rng), materials.horn_base(rng)])


def horn_slice(rng: Random) -> Any:
    """A disc sawn from a rhino horn, 1 to 2 cm thick."""
    shape = teeth.horn_piece(rng, rng.uniform(0.09, 0.22), rng.uniform(0.4, 0.75), 0.02)
    return mesh_of(shape, [materials.rhino_keratin(rng), materials.horn_base(rng)])


def horn_lump(rng: Random) -> Any:
    """A hewn lump of rhino horn."""
    shape = pebble(rng, rng.uniform(0.5, 1.0), rng.randint(3, 6))
    return mesh_of(shape, [rng.choice([materials.rhino_keratin, materials.horn_base])(rng)])


def coaster(rng: Random) -> Any:
    """A wooden disc or branch slice."""
    tone = rng.choice([None, (0.10, 0.055, 0.03), (0.2, 0.12, 0.07)])
    radius = rng.uniform(0.4, 0.7)
    return mesh_of(disc(radius, rng.uniform(0.08, 0.2), 0.015), [lookalikes.wood(rng, tone, rng.random() * 0.5)])


def block(rng: Random) -> Any:
    """A sawn or hewn block of dark wood."""
    looks = lookalikes.wood(rng, rng.choice([(0.08, 0.045, 0.025), (0.15, 0.09, 0.05), (0.26, 0.18, 0.12)]))
    if rng.random() < 0.5:
        return mesh_of(pebble(rng, rng.uniform(0.6, 1.1), rng.randint(2, 5)), [looks])
    return mesh_of(tubes.tusk_piece(rng, rng.uniform(0.4, 1.2), rng.uniform(0.25, 0.5)), [looks, looks])


def stone(rng: Random) -> Any:
    """A dark stone."""
    return mesh_of(pebble(rng, rng.uniform(0.5, 1.1), rng.choice([0, 0, 3])), [dark_stone(rng)])


def driftwood(rng: Random) -> Any:
    """A short grey stump of driftwood, thick at one end."""
    shape = tubes.rhino_horn(rng, rng.uniform(1.6, 3.0), rng.uniform(0.25, 0.45), rng.uniform(0.3, 1.2))
    bark = lookalikes.wood(rng, rng.choice([(0.30, 0.26, 0.22), (0.22, 0.17, 0.13), (0.38, 0.30, 0.22)]))
    return mesh_of(shape, [bark, bark])


def dropped(make: Maker, count: tuple[int, int]) -> Placer:
    """`count` (from, to) things that fell near each other."""

    def place(scene: Any, rng: Random) -> None:
        meshes = [make(rng) for _ in range(rng.randint(*count))]
        reach = 0.6 * (0.3 if len(meshes) == 1 else 1.0)
        things = [
            add(
                mesh,
                (rng.gauss(0, reach), rng.gauss(0, reach), 0.4 + 0.5 * i),
                (rng.gauss(0, 0.5), rng.gauss(0, 0.5), 0),
            )
            for i, mesh in enumerate(meshes)
        ]
        settle(scene, things, 60 + 5 * len(things))

    return place


def rhino_horn(rng: Random) -> Any:
    """A whole rhino horn."""
    length = rng.uniform(1.4, 3.4)
    shape = tubes.rhino_horn(rng, length, length * rng.uniform(0.2, 0.3), rng.uniform(0.5, 1.1))
    return mesh_of(shape, [materials.rhino_keratin(rng), materials.horn_base(rng)])


def cattle_horn(rng: Random) -> Any:
    """A cattle or ram's horn, thick for its length."""
    length = rng.uniform(2.2, 3.4)
    shape = tubes.cow_horn(rng, length, length * rng.uniform(0.09, 0.14), rng.uniform(0.9, 2.2))
    return mesh_of(shape, [lookalikes.cattle_horn(rng), lookalikes.dark_hollow(rng)])


def wooden_cone(rng: Random) -> Any:
    """A turned cone of dark wood."""
    look = lookalikes.wood(rng, rng.choice([(0.06, 0.03, 0.018), (0.16, 0.08, 0.04)]), rng.random())
    return mesh_of(tubes.cone(rng, rng.uniform(1.8, 3.2), rng.uniform(0.4, 0.7)), [look, look])


def mounted(make: Maker, number: Callable[[Random], int]) -> Placer:
    """Things standing on a wooden plaque: round, or a box with room for two."""

    def place(scene: Any, rng: Random) -> None:
        count, height = number(rng), rng.uniform(0.18, 0.45)
        look = lookalikes.wood(rng, rng.choice([(0.12, 0.05, 0.025), (0.25, 0.12, 0.05), (0.02, 0.015, 0.012)]), 0.7)
        things = placers.stand(scene, rng, [make(rng) for _ in range(count)], 1.5)
        for thing in things:
            thing.location.z += height
            thing.location.y *= 0.3
        if count == 1 and rng.random() < 0.6:
            base = add(mesh_of(disc(rng.uniform(0.9, 1.2), height, 0.05), [look]), (0.0, 0.0, 0.0), (0, 0, 0), index=0)
        else:
            size = (1.9 + 1.4 * (count - 1), 1.9, height)
            base = add(mesh_of(box(size), [look]), (0.0, 0.0, height / 2), (0.0, 0.0, 0.0), index=0)
        base[COMPANION] = True

    return place


def one_or_two(rng: Random) -> int:
    """How many horns a mount has: mostly one, sometimes the front and the rear horn."""
    return rng.choice([1, 1, 2])
