"""Procedural materials of outdoor ground and warehouse floors; conventions as in floors.py."""

from __future__ import annotations

from random import Random
from typing import Any

from training.scenes.materials import tint
from training.scenes.nodes import Colour, Graph


def concrete(rng: Random) -> Any:
    """A yard or warehouse floor: grey concrete with stains, grit and a few cracks."""
    g = Graph("concrete")
    base = tint(rng, rng.choice([(0.30, 0.29, 0.27), (0.36, 0.34, 0.30), (0.19, 0.19, 0.19)]))
    cloud = g.noise(g.position(), 0.35, 9.0, 0.6, 0.65)
    grit = g.noise(g.position(), 16.0, 4.0)
    tone = g.math("ADD", g.math("MULTIPLY", cloud, 0.75), g.math("MULTIPLY", grit, 0.25))
    low, high = tint(rng, (base[0] * 0.55, base[1] * 0.53, base[2] * 0.5)), tint(rng, base)
    colour = g.ramp(tone, [(0.36, low), (0.62, high)])
    crack = g.span(g.cells(g.scaled(g.position(), (0.2, 0.2, 0.2)), 1.0, "DISTANCE_TO_EDGE"), 0.0, 0.006, 0.7, 0.0)
    colour = g.mix(crack, colour, (0.03, 0.028, 0.025))
    return g.finish(colour, 0.9, g.bump(grit, 0.5, 0.02, g.bump(cloud, 0.4, 0.08)))


def tarpaulin(rng: Random) -> Any:
    """A plastic sheet with woven threads, wrinkles and a sheen: blue, green, orange, white or black."""
    g = Graph("tarpaulin")
    palette: list[Colour] = [
        (0.02, 0.10, 0.40),
        (0.02, 0.17, 0.09),
        (0.55, 0.18, 0.02),
        (0.62, 0.62, 0.60),
        (0.03, 0.03, 0.032),
        (0.05, 0.28, 0.42),
    ]
    base = tint(rng, rng.choice(palette))
    parts = g.node("SeparateXYZ")
    g.put(parts.inputs[0], g.position())
    warp = g.math("SINE", g.math("MULTIPLY", parts.outputs[0], 48.0))
    weft = g.math("SINE", g.math("MULTIPLY", parts.outputs[1], 48.0))
    wrinkle = g.math("ABSOLUTE", g.math("SUBTRACT", g.noise(g.position((0.6, 0.9, 1.0)), 0.5, 3.0, 0.8), 0.5))
    dust = g.span(g.noise(g.position(), 0.6, 8.0, 0.5), 0.45, 0.75, 0.0, 0.45)
    colour = g.mix(dust, base, (0.34, 0.30, 0.25))
    normal = g.bump(g.math("MULTIPLY", warp, weft), 0.2, 0.008, g.bump(wrinkle, 0.9, rng.uniform(0.3, 0.8)))
    return g.finish(colour, rng.uniform(0.3, 0.5), normal)


def soil(rng: Random) -> Any:
    """Trodden earth or sand with small stones."""
    g = Graph("soil")
    base = tint(rng, rng.choice([(0.24, 0.14, 0.08), (0.32, 0.22, 0.13), (0.40, 0.31, 0.20), (0.26, 0.10, 0.05)]))
    cloud = g.noise(g.position(), 0.7, 9.0, 0.4, 0.7)
    grit = g.noise(g.position(), 12.0, 5.0, 0.0, 0.7)
    stones = g.span(g.cells(g.position(), 3.2), 0.12, 0.2, 1.0, 0.0)
    tone = g.math("ADD", g.math("MULTIPLY", cloud, 0.6), g.math("MULTIPLY", grit, 0.4))
    colour = g.ramp(tone, [(0.33, (base[0] * 0.5, base[1] * 0.48, base[2] * 0.45)), (0.66, base)])
    colour = g.mix(g.math("MULTIPLY", stones, 0.5), colour, (0.30, 0.27, 0.23))
    return g.finish(colour, 0.95, g.bump(grit, 0.8, 0.04, g.bump(stones, 0.6, 0.06)))


def grass(rng: Random) -> Any:
    """Short dry or green grass, seen as blades of many tones."""
    g = Graph("grass")
    base = tint(rng, rng.choice([(0.07, 0.13, 0.03), (0.16, 0.16, 0.05), (0.05, 0.10, 0.03)]))
    blades = g.noise(g.position((9.0, 2.4, 1.0)), 2.0, 5.0, 2.5, 0.6)
    patch = g.noise(g.position(), 0.5, 8.0, 0.6)
    tone = g.math("ADD", g.math("MULTIPLY", blades, 0.75), g.math("MULTIPLY", patch, 0.25))
    dark = (base[0] * 0.25, base[1] * 0.3, base[2] * 0.25)
    light = (min(1.0, base[0] * 1.9), min(1.0, base[1] * 1.7), base[2] * 1.6)
    colour = g.ramp(tone, [(0.36, dark), (0.5, base), (0.66, light)])
    return g.finish(colour, 0.85, g.bump(blades, 1.0, 0.12))


GROUNDS = {"concrete": concrete, "tarpaulin": tarpaulin, "soil": soil, "grass": grass}
