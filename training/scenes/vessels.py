"""Small things in a bowl or an open bag. The vessel is no subject, but is moved and scaled with what it holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

from training.scenes import lathes, lookalikes
from training.scenes.materials import tint
from training.scenes.nodes import Colour, Graph
from training.scenes.placers import Placer, tumble
from training.scenes.settle import settle
from training.scenes.studio import COMPANION, add, mesh_of

Batch = Callable[[Random], list[Any]]
"""Makes the different meshes of which copies are dropped."""

Vessel = Callable[[Random], tuple[Any, float, float]]
"""Makes a vessel's mesh, and tells its inner radius and the height to which it is filled, in units."""


def sacking(rng: Random) -> Any:
    """Jute, woven plastic or paper of a sack."""
    g = Graph("sacking")
    palette: list[Colour] = [(0.36, 0.25, 0.13), (0.66, 0.65, 0.62), (0.05, 0.05, 0.055), (0.42, 0.30, 0.18)]
    base = tint(rng, rng.choice(palette))
    parts = g.node("SeparateXYZ")
    g.put(parts.inputs[0], g.grain(shift=0.0))
    turn = g.math("SINE", g.math("MULTIPLY", g.math("ARCTAN2", parts.outputs[1], parts.outputs[0]), 70.0))
    weft = g.math("SINE", g.math("MULTIPLY", parts.outputs[2], 90.0))
    weave = g.math("MULTIPLY", turn, weft)
    colour = g.mix(g.span(weave, -1.0, 1.0, 0.0, 0.5), base, (base[0] * 0.45, base[1] * 0.42, base[2] * 0.4))
    return g.finish(colour, 0.8, g.bump(weave, 0.5, 0.02))


def steel(rng: Random) -> Any:
    """Brushed or polished metal of a bowl: steel, brass or aluminium."""
    g = Graph("metal")
    base = tint(rng, rng.choice([(0.6, 0.6, 0.6), (0.7, 0.5, 0.2), (0.75, 0.75, 0.77)]))
    scratch = g.noise(g.grain((1.0, 1.0, 20.0)), 2.0, 3.0)
    return g.finish(base, g.span(scratch, 0.3, 0.7, 0.15, 0.4), Metallic=1.0)


def bowl(rng: Random) -> tuple[Any, float, float]:
    """A bowl 22 to 28 cm across, of porcelain, wood, plastic or metal: mesh, inner radius and height to fill to."""
    look = rng.choice([lookalikes.porcelain, lookalikes.wood, lookalikes.resin, steel])(rng)
    radius, depth = rng.uniform(1.1, 1.4), rng.uniform(0.5, 0.85)
    return mesh_of(lathes.bowl(rng, radius, depth), [look]), radius * 0.88, depth * 0.8


def bag(rng: Random) -> tuple[Any, float, float]:
    """An open sack 22 to 28 cm across: mesh, inner radius and height to fill to."""
    radius, depth = rng.uniform(1.0, 1.3), rng.uniform(0.7, 1.3)
    return mesh_of(lathes.bag(rng, radius, depth), [sacking(rng)]), radius * 0.86, depth * 0.72


def held(vessel: Vessel, batch: Batch, count: tuple[int, int]) -> Placer:
    """A vessel heaped with `count` (from, to) things of a batch, laid over a dome without physics; some lie beside."""

    def place(scene: Any, rng: Random) -> None:
        mesh, radius, height = vessel(rng)
        add(mesh, (0.0, 0.0, 0.0), (0.0, 0.0, rng.uniform(0, 6)), index=0)[COMPANION] = True
        meshes, number, rise = batch(rng), rng.randint(*count), rng.uniform(0.05, 0.4) * radius
        dome = lathes.turned(lathes.smooth([(radius, 0.0), (radius * 0.6, rise * 0.65), (0.0, rise)]))
        add(mesh_of(dome, [meshes[0].materials[0]]), (0.0, 0.0, height - 0.06), (0.0, 0.0, 0.0))
        for i in range(number):
            share, angle = math.sqrt((i + 0.5) / number), i * 2.39996 + rng.gauss(0, 0.3)
            reach = share * radius * 0.93
            lift = height + rise * (1 - share**2) + rng.uniform(-0.05, 0.06)
            lean = (rng.gauss(0, 0.4), rng.gauss(0, 0.4) + rng.choice([0.0, math.pi]), rng.uniform(0, 6))
            add(rng.choice(meshes), (reach * math.cos(angle), reach * math.sin(angle), lift), lean)
        for _ in range(rng.choice([0, 0, 1, 3])):
            angle, reach = rng.uniform(0, 6), radius * rng.uniform(1.3, 1.6)
            lean = (rng.gauss(0, 0.08), rng.gauss(0, 0.08), rng.uniform(0, 6))
            add(rng.choice(meshes), (reach * math.cos(angle), reach * math.sin(angle), 0.04), lean)

    return place


def scattered(batch: Batch, count: tuple[int, int], spread: float) -> Placer:
    """`count` (from, to) things of a batch dropped over a cloud `spread` units wide."""

    def place(scene: Any, rng: Random) -> None:
        meshes = batch(rng)
        things = [
            add(rng.choice(meshes), (rng.gauss(0, spread), rng.gauss(0, spread), 0.2 + 0.2 * i), tumble(rng))
            for i in range(rng.randint(*count))
        ]
        settle(scene, things, 50 + 3 * len(things))

    return place
