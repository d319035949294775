"""Procedural materials of what the things lie on: wood, cloth, tile, stone, paper, cardboard.

Texture coordinates are the floor's own position in scene units (one unit being about 10 cm).
"""

from __future__ import annotations

from random import Random
from typing import Any

from training.scenes.materials import tint
from training.scenes.nodes import Colour, Graph


def table(rng: Random) -> Any:
    """A wooden table top: boards 0.8 to 1.6 units wide with grain and dark joints."""
    g = Graph("table")
    mean = tint(rng, rng.choice([(0.27, 0.15, 0.07), (0.38, 0.24, 0.12), (0.10, 0.05, 0.025), (0.45, 0.36, 0.25)]))
    width = rng.uniform(0.8, 1.6)
    parts = g.node("SeparateXYZ")
    g.put(parts.inputs[0], g.position())
    board = g.math("DIVIDE", parts.outputs[1], width)
    number = g.math("FLOOR", board)
    edge = g.math("ABSOLUTE", g.math("SUBTRACT", g.math("FRACT", board), 0.5))
    joint = g.span(edge, 0.488, 0.496)
    offset = g.node("CombineXYZ")
    g.put(offset.inputs[0], g.math("MULTIPLY", number, 7.3))
    g.put(offset.inputs[2], g.math("MULTIPLY", number, 3.1))
    moved = g.node("VectorMath", operation="ADD")
    g.put(moved.inputs[0], g.position((0.35, 4.0, 1.0)))
    g.put(moved.inputs[1], offset.outputs[0])
    grain = g.noise(moved.outputs[0], 1.2, 9.0, 1.2, 0.6)
    lines = g.math("FRACT", g.math("MULTIPLY", g.noise(moved.outputs[0], 0.5, 3.0, 1.0), 8.0))
    tone = g.math("ADD", g.math("MULTIPLY", grain, 0.75), g.math("MULTIPLY", lines, 0.2))
    high = (min(1.0, mean[0] * 1.35), min(1.0, mean[1] * 1.35), min(1.0, mean[2] * 1.35))
    colour = g.ramp(tone, [(0.25, (mean[0] * 0.4, mean[1] * 0.36, mean[2] * 0.33)), (0.5, mean), (0.75, high)])
    colour = g.mix(joint, colour, (0.02, 0.012, 0.008))
    return g.finish(colour, g.span(grain, 0.3, 0.7, 0.3, 0.5), g.bump(grain, 0.15, 0.02, g.bump(joint, -0.6, 0.04)))


def cloth(rng: Random) -> Any:
    """Woven cloth with soft folds, in one colour or with wide stripes."""
    g = Graph("cloth")
    palette: list[Colour] = [
        (0.35, 0.03, 0.04),
        (0.04, 0.07, 0.2),
        (0.55, 0.52, 0.46),
        (0.03, 0.14, 0.08),
        (0.02, 0.02, 0.022),
        (0.4, 0.33, 0.22),
        (0.25, 0.25, 0.27),
    ]
    base = tint(rng, rng.choice(palette))
    thread = rng.uniform(55.0, 110.0)
    parts = g.node("SeparateXYZ")
    g.put(parts.inputs[0], g.position())
    warp = g.math("SINE", g.math("MULTIPLY", parts.outputs[0], thread))
    weft = g.math("SINE", g.math("MULTIPLY", parts.outputs[1], thread))
    weave = g.math("MULTIPLY", warp, weft)
    folds = g.noise(g.position((0.5, 0.9, 1.0)), 0.55, 2.0, 0.5)
    stripe = g.span(
        g.math("SINE", g.math("MULTIPLY", parts.outputs[0], 2.2)), 0.55, 0.6, 0.0, rng.choice([0.0, 0.0, 0.5])
    )
    colour = g.mix(stripe, base, tint(rng, rng.choice(palette)))
    colour = g.mix(g.span(weave, -1.0, 1.0, 0.0, 0.35), colour, (base[0] * 0.45, base[1] * 0.45, base[2] * 0.45))
    normal = g.bump(weave, 0.35, 0.01, g.bump(folds, 0.9, rng.uniform(0.2, 0.6)))
    return g.finish(colour, 0.9, normal, Sheen_Weight=0.2)


def tiles(rng: Random) -> Any:
    """Floor tiles, 2 to 4 units across, with grout."""
    g = Graph("tiles")
    base = tint(rng, rng.choice([(0.55, 0.53, 0.48), (0.42, 0.36, 0.28), (0.3, 0.12, 0.07), (0.25, 0.26, 0.27)]))
    brick = g.node("TexBrick", offset=0.0)
    g.put(brick.inputs["Vector"], g.position())
    cloud = g.noise(g.position(), 0.9, 9.0, 0.7)
    face = g.ramp(cloud, [(0.3, (base[0] * 0.78, base[1] * 0.76, base[2] * 0.74)), (0.7, base)])
    for name, value in (
        ("Color1", face),
        ("Color2", g.mix(0.08, face, (0.0, 0.0, 0.0))),
        ("Mortar", (0.22, 0.2, 0.18)),
    ):
        g.put(brick.inputs[name], value)
    size = rng.uniform(2.0, 4.0)
    for name, number in (("Scale", 1.0), ("Mortar Size", 0.03), ("Brick Width", size), ("Row Height", size)):
        brick.inputs[name].default_value = number
    return g.finish(brick.outputs["Color"], rng.uniform(0.15, 0.45), g.bump(brick.outputs["Fac"], -0.5, 0.03))


def stone(rng: Random) -> Any:
    """Concrete or stone: mottled grey or sand with grit."""
    g = Graph("stone")
    base = tint(rng, rng.choice([(0.30, 0.29, 0.28), (0.42, 0.36, 0.28), (0.2, 0.2, 0.21)]))
    cloud = g.noise(g.position(), 0.8, 10.0, 0.3, 0.65)
    grit = g.noise(g.position(), 22.0, 4.0)
    tone = g.math("ADD", g.math("MULTIPLY", cloud, 0.7), g.math("MULTIPLY", grit, 0.3))
    colour = g.ramp(
        tone,
        [
            (0.33, (base[0] * 0.5, base[1] * 0.5, base[2] * 0.5)),
            (0.68, (base[0] * 1.25, base[1] * 1.25, base[2] * 1.25)),
        ],
    )
    return g.finish(colour, 0.85, g.bump(grit, 0.5, 0.02, g.bump(cloud, 0.3, 0.06)))


def paper(rng: Random) -> Any:
    """Plain paper or a studio sheet: near white, grey or pale blue, barely textured."""
    g = Graph("paper")
    base = tint(rng, rng.choice([(0.80, 0.79, 0.76), (0.62, 0.62, 0.61), (0.55, 0.62, 0.68), (0.78, 0.72, 0.6)]), 0.06)
    faint = g.noise(g.position(), 1.1, 6.0)
    colour = g.mix(g.span(faint, 0.3, 0.7, 0.0, 0.1), base, (0.3, 0.28, 0.25))
    return g.finish(colour, 0.75, g.bump(faint, 0.3, 0.05))


def cardboard(rng: Random) -> Any:
    """Brown cardboard or packing paper with faint corrugation."""
    g = Graph("cardboard")
    base = tint(rng, (0.38, 0.25, 0.13))
    parts = g.node("SeparateXYZ")
    g.put(parts.inputs[0], g.position())
    ribs = g.math("SINE", g.math("MULTIPLY", parts.outputs[0], 18.0))
    fibre = g.noise(g.position((1.0, 3.0, 1.0)), 6.0, 6.0)
    colour = g.ramp(
        g.math("ADD", fibre, g.math("MULTIPLY", ribs, 0.02)),
        [(0.3, (base[0] * 0.75, base[1] * 0.73, base[2] * 0.7)), (0.7, base)],
    )
    return g.finish(colour, 0.85, g.bump(ribs, 0.25, 0.02))


FLOORS = {"table": table, "cloth": cloth, "tiles": tiles, "stone": stone, "paper": paper, "cardboard": cardboard}
