"""Small flat things like pangolin scales, and batches of them: scales, crisps, cone scales, mushrooms, bark, shells."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from training.scenes import lookalikes, materials, shapes
from training.scenes.materials import tint
from training.scenes.nodes import Colour, Graph
from training.scenes.shapes import Shape, grid, plate, ripple
from training.scenes.studio import mesh_of
from training.scenes.vessels import Batch


def crisp(rng: Random, length: float) -> Shape:
    """A potato crisp: an oval slice, wavy, bent like a saddle."""
    rows, columns = 18, 17
    u, v = grid(rows, columns)
    width = length * rng.uniform(0.38, 0.48) * np.sqrt(np.clip(1 - (2 * v - 1) ** 2, 0.004, 1))
    verts = np.stack([u * width, length * (v - 0.5), np.zeros(len(u))], 1)
    verts[:, 2] = (rng.uniform(0.1, 0.7) * verts[:, 0] ** 2 - rng.uniform(0.0, 0.6) * verts[:, 1] ** 2) / length
    verts[:, 2] += 0.05 * length * ripple(rng, verts * 6 / length)
    return plate(verts, np.full(len(u), 0.02 * length), verts / length, v, rows, columns)


def cone_scale(rng: Random, length: float) -> Shape:
    """A scale of a pine cone: a narrow stalk that widens to a thick, blunt, keeled end."""
    rows, columns = 18, 13
    u, v = grid(rows, columns)
    width = length * rng.uniform(0.22, 0.32) * (0.3 + 0.7 * v) * np.sqrt(np.clip(1 - v**6, 0.02, 1))
    z = length * (0.1 * np.sin(v * math.pi) - 0.12 * u**2 * v)
    verts = np.stack([u * width, length * (v - 0.5), z], 1)
    thick = length * (0.03 + 0.1 * np.exp(-(((v - 0.85) / 0.12) ** 2)) * (1 - u**2))
    return plate(verts, thick, np.stack([u, v * 0 + rng.uniform(0, 9), v], 1), v, rows, columns)


def mushroom(rng: Random, length: float) -> Shape:
    """A dried mushroom slice or cap: round, crumpled, curled in at its edge."""
    rows, columns = 20, 19
    u, v = grid(rows, columns)
    width = length * 0.5 * np.sqrt(np.clip(1 - (2 * v - 1) ** 2, 0.004, 1))
    verts = np.stack([u * width, length * (v - 0.5), np.zeros(len(u))], 1)
    far = (verts[:, 0] ** 2 + verts[:, 1] ** 2) / length**2
    verts[:, 2] = length * (0.35 - rng.uniform(1.0, 2.2) * far + 0.10 * ripple(rng, verts * 9 / length, 5))
    verts[:, :2] *= (1 + 0.08 * ripple(rng, verts * 5 / length))[:, None]
    return plate(verts, length * (0.05 + 0.05 * (1 - 4 * far).clip(0)), verts * 2 / length, v, rows, columns)


def shell(rng: Random, length: float) -> Shape:
    """A cockle-like shell: a ribbed fan, domed."""
    rows, columns = 20, 33
    u, v = grid(rows, columns)
    angle, reach = u * rng.uniform(0.8, 1.15), length * v**0.8
    ribs = 1 + 0.03 * np.cos(u * 34) * v
    dome = length * 0.3 * np.sin(np.clip(v, 0.02, 0.98) * math.pi) * (1 - 0.6 * u**2) * ribs
    verts = np.stack([reach * np.sin(angle), reach * np.cos(angle) - length * 0.5, dome], 1)
    return plate(verts, np.full(len(u), 0.035 * length), np.stack([u * 4, v * 0, v], 1), v, rows, columns)


def fried(rng: Random) -> Any:
    """A crisp's surface: pale yellow with browned edges, blisters and salt."""
    g = Graph("crisp")
    pale, brown = tint(rng, (0.72, 0.48, 0.14)), tint(rng, (0.36, 0.15, 0.035), 0.25)
    spot = g.noise(g.grain(), 3.0, 6.0, 0.4)
    colour = g.ramp(spot, [(0.36, brown), (0.55, pale), (0.75, tint(rng, (0.8, 0.62, 0.28)))])
    return g.finish(colour, 0.4, g.bump(g.noise(g.grain(), 8.0, 4.0), 0.6, 0.02), Subsurface_Weight=0.1)


def dried(rng: Random) -> Any:
    """Dried mushroom or fungus: brown to cream, cracked."""
    g = Graph("dried")
    palette: list[Colour] = [(0.22, 0.12, 0.06), (0.52, 0.38, 0.22), (0.10, 0.06, 0.035)]
    mean = tint(rng, rng.choice(palette), 0.2)
    crack = g.cells(g.grain(), 4.0, "DISTANCE_TO_EDGE")
    cloud = g.noise(g.grain(), 2.5, 6.0, 0.6)
    dark = (mean[0] * 0.45, mean[1] * 0.42, mean[2] * 0.4)
    colour = g.ramp(cloud, [(0.35, dark), (0.6, mean), (0.75, (min(1.0, mean[0] * 1.7), mean[1] * 1.6, mean[2] * 1.5))])
    colour = g.mix(g.span(crack, 0.0, 0.05, rng.choice([0.0, 0.8]), 0.0), colour, (0.62, 0.52, 0.36))
    return g.finish(colour, 0.85, g.bump(cloud, 0.8, 0.03))


def bark(rng: Random) -> Any:
    """Bark mulch: dark red-brown, fibrous."""
    return lookalikes.wood(rng, rng.choice([(0.12, 0.055, 0.028), (0.18, 0.08, 0.035), (0.08, 0.05, 0.032)]))


def seashell(rng: Random) -> Any:
    """A shell: white, cream, pink or brown, banded with growth lines."""
    g = Graph("seashell")
    palette: list[Colour] = [(0.75, 0.68, 0.56), (0.66, 0.46, 0.34), (0.42, 0.26, 0.15)]
    base = tint(rng, rng.choice(palette))
    bands = g.noise(g.grain((0.1, 0.1, 9.0)), 1.0, 4.0, 0.4)
    colour = g.ramp(bands, [(0.38, (base[0] * 0.5, base[1] * 0.45, base[2] * 0.4)), (0.6, base)])
    return g.finish(colour, 0.4, g.bump(bands, 0.3, 0.01), Subsurface_Weight=0.1, Subsurface_Scale=0.1)


def pangolin(rng: Random) -> list[Any]:
    """Ten different pangolin scales of one animal, 4 to 6 cm long."""
    pair = [materials.pangolin_keratin(rng), materials.pangolin_keratin(rng, under=True)]
    return [mesh_of(shapes.pangolin_scale(rng, rng.uniform(0.4, 0.62)), pair) for _ in range(10)]


def batch(
    make: Callable[[Random, float], Shape], material: Callable[[Random], Any], size: tuple[float, float]
) -> Batch:
    """Eight different things of `make`, of two materials, `size` from and to in units."""

    def meshes(rng: Random) -> list[Any]:
        looks = [material(rng) for _ in range(2)]
        return [mesh_of(make(rng, rng.uniform(*size)), [rng.choice(looks)]) for _ in range(8)]

    return meshes


CRISPS = batch(crisp, fried, (0.5, 0.75))
CONE_SCALES = batch(cone_scale, lookalikes.wood, (0.35, 0.6))
MUSHROOMS = batch(mushroom, dried, (0.4, 0.7))
BARK = batch(shapes.wood_chip, bark, (0.35, 0.7))
SHELLS = batch(shell, seashell, (0.35, 0.6))
LEAVES = batch(shapes.leaf, lookalikes.dry_leaf, (0.5, 0.8))
