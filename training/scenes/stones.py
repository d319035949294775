"""Procedural materials of carved things that are no ivory: jade, marble, gold, bronze, glaze; and seal ink."""

from __future__ import annotations

from random import Random
from typing import Any

from training.scenes import lookalikes
from training.scenes.materials import tint
from training.scenes.nodes import Colour, Graph


def jade(rng: Random) -> Any:
    """Jade or green stone: milky green to white with cloudy veins."""
    g = Graph("jade")
    palette: list[Colour] = [(0.10, 0.32, 0.13), (0.30, 0.46, 0.28), (0.04, 0.17, 0.09), (0.62, 0.66, 0.52)]
    base = tint(rng, rng.choice(palette))
    cloud = g.noise(g.grain(), 1.8, 7.0, 1.2)
    light = (min(1.0, base[0] * 1.6 + 0.08), min(1.0, base[1] * 1.3 + 0.06), min(1.0, base[2] * 1.5 + 0.06))
    colour = g.ramp(cloud, [(0.35, (base[0] * 0.6, base[1] * 0.65, base[2] * 0.6)), (0.52, base), (0.7, light)])
    return g.finish(colour, 0.2, Subsurface_Weight=0.3, Subsurface_Scale=0.2, Coat_Weight=0.4)


def marble(rng: Random) -> Any:
    """Marble or alabaster: white to cream or black, with thin veins."""
    g = Graph("marble")
    dark = rng.random() < 0.2
    base = (0.03, 0.03, 0.032) if dark else tint(rng, rng.choice([(0.78, 0.77, 0.74), (0.74, 0.66, 0.54)]), 0.06)
    field = g.noise(g.grain(), 1.6, 6.0, 1.5)
    vein = g.span(g.math("ABSOLUTE", g.math("SUBTRACT", field, 0.5)), 0.0, 0.035, 0.7, 0.0)
    colour = g.mix(vein, base, (0.6, 0.58, 0.54) if dark else tint(rng, (0.36, 0.35, 0.35), 0.2))
    return g.finish(colour, 0.25, Subsurface_Weight=0.15, Subsurface_Scale=0.2)


def metal(rng: Random) -> Any:
    """Gold, brass, silver, copper or dark bronze, polished or worn."""
    g = Graph("metal")
    palette: list[Colour] = [(0.95, 0.62, 0.18), (0.75, 0.52, 0.2), (0.7, 0.7, 0.68), (0.26, 0.16, 0.09)]
    base = tint(rng, rng.choice(palette))
    wear = g.noise(g.grain(), 2.5, 6.0, 0.5)
    colour = g.mix(g.span(wear, 0.4, 0.7, 0.0, 0.5), base, (base[0] * 0.45, base[1] * 0.45, base[2] * 0.45))
    return g.finish(colour, g.span(wear, 0.3, 0.7, 0.15, rng.uniform(0.25, 0.5)), Metallic=1.0)


def glaze(rng: Random) -> Any:
    """Plain white or cream glaze (blanc de Chine)."""
    g = Graph("glaze")
    base = tint(rng, rng.choice([(0.84, 0.84, 0.82), (0.80, 0.76, 0.66)]), 0.05)
    return g.finish(base, 0.1, Subsurface_Weight=0.1, Subsurface_Scale=0.1, Coat_Weight=0.8)


def dark_wood(rng: Random) -> Any:
    """Ebony, rosewood or boxwood, oiled."""
    tone: Colour = rng.choice([(0.035, 0.02, 0.014), (0.13, 0.045, 0.022), (0.24, 0.11, 0.045), (0.46, 0.29, 0.12)])
    return lookalikes.wood(rng, tone, rng.uniform(0.2, 0.9))


def seal_ink(rng: Random) -> Any:
    """Vermilion paste on the end of a seal, cut by the characters."""
    g = Graph("seal ink")
    lines = g.cells(g.grain((7.0, 7.0, 7.0)), 1.0, "DISTANCE_TO_EDGE")
    colour = g.mix(g.span(lines, 0.08, 0.14), (0.10, 0.02, 0.015), tint(rng, (0.55, 0.035, 0.02)))
    return g.finish(colour, 0.6, g.bump(lines, 0.6, 0.01))


def cord(rng: Random) -> Any:
    """A cord or thread: black, brown, red, white; sometimes metal."""
    if rng.random() < 0.25:
        return metal(rng)
    g = Graph("cord")
    palette: list[Colour] = [(0.02, 0.02, 0.02), (0.10, 0.05, 0.025), (0.42, 0.03, 0.02), (0.5, 0.44, 0.34)]
    base = tint(rng, rng.choice(palette))
    return g.finish(base, 0.8, g.bump(g.noise(g.position((30.0, 30.0, 30.0)), 1.0), 0.5, 0.01))


def shaded(material: Any, depth: float) -> Any:
    """A finished `material`, darker in carved grooves (where the mesh's `along` is above 0) by `depth` 0..1."""
    g = Graph("shaded", material)
    base = g.bsdf.inputs["Base Color"]
    source: Any = base.links[0].from_socket if base.links else tuple(base.default_value)[:3]
    g.put(base, g.mix(g.math("MULTIPLY", g.along(), depth), source, (0.09, 0.045, 0.02)))
    return material


WORKED = {
    "wood": dark_wood,
    "jade": jade,
    "porcelain": glaze,
    "resin": lookalikes.resin,
    "metal": metal,
    "marble": marble,
}
"""What the same forms are made of when they are no ivory: the materials most often taken for it."""
