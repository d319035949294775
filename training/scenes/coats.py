"""Procedural coats: tiger, leopard, jaguar, cattle, plain fur; as fur or printed on cloth. Grain is in units."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

from training.scenes.materials import tint
from training.scenes.nodes import Colour, Graph

Pattern = Callable[[Random, Graph, float], Any]
"""Colour socket from (chance, graph, size), size being the length of a stripe's or rosette's repeat in units."""

BLACK: Colour = (0.018, 0.012, 0.009)


def _off(g: Graph) -> tuple[Any, Any]:
    """Position across and along the hide."""
    parts = g.node("SeparateXYZ")
    g.put(parts.inputs[0], g.grain(shift=0.0))
    return parts.outputs[0], parts.outputs[1]


def _ground(rng: Random, g: Graph, back: Colour, belly: Colour) -> Any:
    """The coat's ground: `along` is 0 on the spine and 1 at the edge, where it pales."""
    cloud = g.noise(g.grain(), 0.9, 5.0)
    tone = g.math("ADD", g.along(), g.math("MULTIPLY", g.math("SUBTRACT", cloud, 0.5), 0.5))
    dark = (back[0] * 0.7, back[1] * 0.62, back[2] * 0.55)
    return g.ramp(tone, [(0.05, dark), (0.3, back), (0.68, back), (0.92, belly)])


def tiger(rng: Random, g: Graph, size: float) -> Any:
    """Black, forking stripes across an orange hide that pales to white at its edges."""
    across, along = _off(g)
    ground = _ground(rng, g, tint(rng, (0.52, 0.22, 0.045), 0.18), tint(rng, (0.72, 0.64, 0.5)))
    bend = g.noise(g.grain((0.45 / size, 0.35 / size, 1.0)), 1.0, 3.0, 0.6)
    side = g.math("SIGN", across)
    wave = g.math("ADD", g.math("DIVIDE", along, size * 1.2), g.math("MULTIPLY", bend, 2.4))
    wave = g.math("ADD", wave, g.math("MULTIPLY", side, 0.21))
    stripe = g.math("SINE", g.math("MULTIPLY", wave, 2 * math.pi))
    gaps = g.noise(g.grain((0.7 / size, 1.2 / size, 1.0), 9.0), 1.0, 3.0)
    level = g.math("SUBTRACT", stripe, g.math("MULTIPLY", g.span(gaps, 0.46, 0.7), 1.5))
    low = rng.uniform(-0.05, 0.3)
    return g.mix(g.span(level, low, low + 0.22), ground, BLACK)


def _rosettes(rng: Random, g: Graph, size: float, dotted: bool) -> Any:
    """Broken black rings with a darker middle on buff, solid spots along the spine and at the edge."""
    ground = _ground(rng, g, tint(rng, (0.50, 0.29, 0.10), 0.15), tint(rng, (0.70, 0.63, 0.5)))
    warp = g.node("VectorMath", operation="ADD")
    g.put(warp.inputs[0], g.grain((1 / size, 1 / size, 0.0), 0.0))
    shake = g.node("TexNoise")
    shake.inputs["Scale"].default_value = 1.6 / size
    g.put(shake.inputs["Vector"], g.grain(shift=0.0))
    g.put(warp.inputs[1], g.scaled(shake.outputs["Color"], (0.5, 0.5, 0.0)))
    cell = g.node("TexVoronoi", feature="F1", voronoi_dimensions="2D")
    g.put(cell.inputs["Vector"], warp.outputs[0])
    cell.inputs["Scale"].default_value, cell.inputs["Randomness"].default_value = 1.0, 0.75
    far = cell.outputs["Distance"]
    broken = g.noise(g.grain((3.4 / size, 3.4 / size, 1.0)), 1.0, 3.0)
    ring = g.span(g.math("ABSOLUTE", g.math("SUBTRACT", far, 0.29)), 0.06, 0.1, 1.0, 0.0)
    ring = g.math("MULTIPLY", ring, g.span(broken, 0.40, 0.47))
    inside = g.span(far, 0.2, 0.3, 0.55, 0.0)
    edge = g.span(g.along(), 0.62, 0.78)
    spots = g.math("MULTIPLY", g.span(far, 0.2, 0.26, 1.0, 0.0), edge)
    black = g.math("MAXIMUM", g.math("MULTIPLY", ring, g.math("SUBTRACT", 1.0, edge)), spots)
    if dotted:
        black = g.math("MAXIMUM", black, g.span(far, 0.05, 0.08, 1.0, 0.0))
    colour = g.mix(inside, ground, tint(rng, (0.30, 0.13, 0.035)))
    return g.mix(black, colour, BLACK)


def leopard(rng: Random, g: Graph, size: float) -> Any:
    """Leopard rosettes."""
    return _rosettes(rng, g, size, False)


def jaguar(rng: Random, g: Graph, size: float) -> Any:
    """Jaguar rosettes: larger, with dots inside."""
    return _rosettes(rng, g, size * 1.45, True)


def cattle(rng: Random, g: Graph, size: float) -> Any:
    """Cow hide: white with black, brown or red patches, or one brown."""
    first, second = rng.choice(
        [
            ((0.72, 0.69, 0.63), BLACK),
            ((0.70, 0.64, 0.54), (0.16, 0.06, 0.025)),
            ((0.2, 0.09, 0.04), (0.1, 0.045, 0.02)),
        ]
    )
    patch = g.noise(g.grain((0.35, 0.35, 1.0)), 1.0, 3.0, 0.5)
    edge = rng.uniform(0.42, 0.56)
    return g.mix(g.span(patch, edge, edge + 0.015), tint(rng, first), tint(rng, second))


def plain(rng: Random, g: Graph, size: float) -> Any:
    """Sheepskin, goat, deer or artificial fur of one colour."""
    palette: list[Colour] = [(0.72, 0.68, 0.6), (0.30, 0.17, 0.08), (0.06, 0.05, 0.045), (0.42, 0.38, 0.34)]
    base = tint(rng, rng.choice(palette), 0.15)
    return _ground(rng, g, base, (min(1.0, base[0] * 1.3), min(1.0, base[1] * 1.3), min(1.0, base[2] * 1.3)))


def fur(pattern: Pattern, size: float = 0.8, length: float = 1.0) -> Callable[[Random], Any]:
    """A short coat lying towards the tail; `length` above 1 makes it shaggy."""

    def make(rng: Random) -> Any:
        g = Graph("fur")
        colour = pattern(rng, g, size * rng.uniform(0.85, 1.2))
        hairs = g.noise(g.grain((9.0, 1.4, 1.0)), 2.6 / length, 4.0, 0.4)
        tufts = g.noise(g.grain((2.2, 0.8, 1.0)), 1.2 / length, 4.0, 1.0)
        shade = g.span(
            g.math("ADD", g.math("MULTIPLY", hairs, 0.7), g.math("MULTIPLY", tufts, 0.3)), 0.36, 0.64, 0.5, 0.0
        )
        colour = g.mix(shade, colour, (0.0, 0.0, 0.0))
        normal = g.bump(hairs, 0.7, 0.06 * length, g.bump(tufts, 0.6, 0.15 * length))
        return g.finish(colour, 0.75, normal, Sheen_Weight=0.35, Sheen_Roughness=0.4)

    return make


def printed(pattern: Pattern) -> Callable[[Random], Any]:
    """The pattern printed on woven or satin cloth, in natural or in fashion colours."""

    def make(rng: Random) -> Any:
        g = Graph("printed cloth")
        colour = pattern(rng, g, 0.5 * rng.uniform(0.6, 1.6))
        dye: Colour = rng.choice([(1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (1.0, 0.75, 0.8), (0.75, 0.8, 0.85)])
        colour = g.mix(1.0, colour, dye, "MULTIPLY")
        across, along = _off(g)
        weft = g.math("SINE", g.math("MULTIPLY", along, 70.0))
        weave = g.math("MULTIPLY", g.math("SINE", g.math("MULTIPLY", across, 70.0)), weft)
        colour = g.mix(g.span(weave, -1.0, 1.0, 0.0, 0.2), colour, (0.0, 0.0, 0.0))
        return g.finish(colour, rng.choice([0.35, 0.9]), g.bump(weave, 0.3, 0.01), Sheen_Weight=0.1)

    return make


def backing(rng: Random) -> Any:
    """The flesh side of a hide, or its felt lining."""
    g = Graph("backing")
    base = tint(rng, rng.choice([(0.52, 0.42, 0.30), (0.03, 0.03, 0.03), (0.30, 0.03, 0.03)]))
    return g.finish(base, 0.85, g.bump(g.noise(g.grain(), 2.0), 0.4, 0.05))
