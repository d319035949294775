"""Procedural materials of the harmless look-alikes; conventions as in materials.py."""

from __future__ import annotations

from random import Random
from typing import Any

from training.scenes.materials import tint
from training.scenes.nodes import Colour, Graph


def cattle_horn(rng: Random) -> Any:
    """Cattle horn: cream or grey with mottling, turning to a dark glossy tip."""
    g = Graph("cattle horn")
    pale, dark = tint(rng, (0.55, 0.43, 0.27)), tint(rng, (0.02, 0.016, 0.013))
    streak = g.noise(g.grain((3.0, 3.0, 0.16)), 1.0, 6.0, 0.7)
    start = rng.uniform(0.35, 0.65)
    tone = g.math("ADD", g.along(), g.math("MULTIPLY", g.math("SUBTRACT", streak, 0.5), 0.9))
    colour = g.ramp(
        g.math("MULTIPLY", tone, 0.8),
        [
            (0.0, tint(rng, (0.33, 0.24, 0.14))),
            (0.2, pale),
            (start * 0.8, tint(rng, (0.22, 0.16, 0.1))),
            (start * 0.8 + 0.16, dark),
        ],
    )
    fine = g.noise(g.grain((14.0, 14.0, 0.3)), 1.0, 3.0)
    return g.finish(colour, 0.28, g.bump(fine, 0.2, 0.01), Subsurface_Weight=0.1, Subsurface_Scale=0.2, Coat_Weight=0.2)


def dark_hollow(rng: Random) -> Any:
    """The inside of a cattle horn: rough, brown, dark in its depth."""
    g = Graph("hollow")
    colour = g.ramp(
        g.math("SUBTRACT", g.along(), 1.0), [(0.0, tint(rng, (0.4, 0.3, 0.18))), (0.6, (0.06, 0.04, 0.025))]
    )
    return g.finish(colour, 0.8)


def banana_peel(rng: Random) -> Any:
    """Banana skin: yellow, green at the ends when young, brown freckles when old, dark stalk end."""
    g = Graph("banana")
    age = rng.uniform(0.1, 0.9)
    yellow = tint(rng, (0.80, 0.52, 0.045), 0.08)
    ends = tint(rng, (0.42, 0.45, 0.06)) if age < 0.5 else tint(rng, (0.55, 0.35, 0.05))
    black = (0.025, 0.016, 0.008)
    wobble = g.math(
        "ADD", g.along(), g.math("MULTIPLY", g.math("SUBTRACT", g.noise(g.grain((2, 2, 1)), 1.5), 0.5), 0.08)
    )
    colour = g.ramp(
        wobble,
        [
            (0.0, black),
            (0.03, (0.30, 0.24, 0.06)),
            (0.14, ends),
            (0.3, yellow),
            (0.82, yellow),
            (0.93, ends),
            (0.97, black),
        ],
    )
    spots = g.span(g.noise(g.grain((3.0, 3.0, 2.4)), 2.0, 3.0), 0.72 - 0.16 * age, 0.76 - 0.16 * age, 0.0, 0.85)
    bruise = g.span(g.noise(g.grain((1.0, 1.0, 0.35)), 1.2, 7.0, 0.5, 0.65), 0.6, 0.74, 0.0, 0.6 * age)
    colour = g.mix(g.math("MAXIMUM", spots, bruise), colour, (0.13, 0.06, 0.015))
    return g.finish(
        colour,
        0.45,
        g.bump(g.noise(g.grain((9, 9, 0.5)), 1.0), 0.15, 0.015),
        Subsurface_Weight=0.08,
        Subsurface_Scale=0.2,
    )


def candle_wax(rng: Random) -> Any:
    """Candle wax: white, cream or honey, translucent, with the dark wick at the end."""
    g = Graph("wax")
    wax = tint(rng, rng.choice([(0.86, 0.83, 0.76), (0.82, 0.72, 0.5), (0.70, 0.45, 0.15), (0.80, 0.76, 0.62)]), 0.05)
    faint = g.noise(g.grain((2.0, 2.0, 0.4)), 1.0, 5.0)
    body = g.mix(g.span(faint, 0.3, 0.7, 0.0, 0.12), wax, (0.5, 0.38, 0.2))
    colour = g.mix(g.span(g.along(), 0.957, 0.962), body, (0.10, 0.085, 0.07))
    return g.finish(
        colour,
        0.38,
        g.bump(faint, 0.1, 0.03),
        Subsurface_Weight=0.5,
        Subsurface_Radius=(0.3, 0.2, 0.12),
        Subsurface_Scale=0.5,
    )


def wood(rng: Random, tone: Colour | None = None, gloss: float = 0.0) -> Any:
    """Wood with fibres along the grain; `tone` is the mean colour, `gloss` 0 bare to 1 lacquered."""
    g = Graph("wood")
    chosen = tone or rng.choice([(0.30, 0.16, 0.07), (0.45, 0.29, 0.15), (0.12, 0.055, 0.025), (0.42, 0.33, 0.22)])
    mean = tint(rng, chosen)
    rings = g.noise(g.grain((2.2, 2.2, 0.16)), 1.3, 4.0, 1.6)
    lines = g.math("FRACT", g.math("MULTIPLY", rings, 9.0))
    fibre = g.noise(g.grain((24.0, 24.0, 0.9)), 1.0, 4.0)
    tone_value = g.math("ADD", g.math("MULTIPLY", lines, 0.4), g.math("MULTIPLY", fibre, 0.6))
    low = (mean[0] * 0.45, mean[1] * 0.4, mean[2] * 0.36)
    high = (min(1.0, mean[0] * 1.4), min(1.0, mean[1] * 1.4), min(1.0, mean[2] * 1.4))
    colour = g.ramp(
        g.math("ADD", tone_value, g.math("MULTIPLY", g.chance(), 0.12)), [(0.2, low), (0.5, mean), (0.8, high)]
    )
    return g.finish(colour, 0.7 - 0.4 * gloss, g.bump(fibre, 0.4 - 0.3 * gloss, 0.02), Coat_Weight=0.6 * gloss)


def almond_skin(rng: Random) -> Any:
    """Almond skin: cinnamon brown with lengthwise wrinkles and a dusty bloom."""
    g = Graph("almond")
    wrinkle = g.noise(g.grain((4.5, 4.5, 0.7)), 1.0, 5.0, 0.4)
    tone = g.math("ADD", wrinkle, g.math("MULTIPLY", g.math("SUBTRACT", g.chance(), 0.5), 0.16))
    colour = g.ramp(
        tone,
        [
            (0.3, tint(rng, (0.10, 0.035, 0.012))),
            (0.5, tint(rng, (0.27, 0.11, 0.038))),
            (0.72, tint(rng, (0.45, 0.22, 0.09))),
        ],
    )
    return g.finish(colour, 0.55, g.bump(wrinkle, 0.7, 0.018))


def dry_leaf(rng: Random) -> Any:
    """A dry leaf: brown to olive, a paler middle rib and side veins."""
    g = Graph("leaf")
    mean = tint(rng, rng.choice([(0.24, 0.12, 0.04), (0.16, 0.10, 0.04), (0.13, 0.16, 0.05), (0.36, 0.19, 0.05)]))
    parts = g.node("SeparateXYZ")
    g.put(parts.inputs[0], g.grain(shift=0.0))
    off = g.math("ABSOLUTE", parts.outputs[0])
    veins = g.math(
        "ABSOLUTE",
        g.math("SINE", g.math("MULTIPLY", g.math("SUBTRACT", parts.outputs[2], g.math("MULTIPLY", off, 0.16)), 34.0)),
    )
    rib = g.math("MAXIMUM", g.span(off, 0.02, 0.07, 1.0, 0.0), g.span(veins, 0.03, 0.16, 0.5, 0.0))
    blot = g.noise(g.grain(), 3.0, 7.0)
    body = g.ramp(
        g.math("ADD", blot, g.math("MULTIPLY", g.chance(), 0.15)),
        [(0.35, (mean[0] * 0.4, mean[1] * 0.38, mean[2] * 0.35)), (0.65, mean)],
    )
    colour = g.mix(g.math("MULTIPLY", rib, 0.5), body, (min(1, mean[0] * 1.9), min(1, mean[1] * 1.8), mean[2] * 1.6))
    return g.finish(colour, 0.6, g.bump(rib, 0.4, 0.02))


def resin(rng: Random, colour: Colour | None = None) -> Any:
    """Cast resin or plastic: even colour, sometimes swirled, glossy."""
    g = Graph("resin")
    palette: list[Colour] = [
        (0.85, 0.80, 0.68),
        (0.80, 0.10, 0.08),
        (0.05, 0.22, 0.5),
        (0.03, 0.03, 0.03),
        (0.85, 0.85, 0.85),
        (0.6, 0.28, 0.05),
        (0.1, 0.4, 0.3),
    ]
    first = tint(rng, colour or rng.choice(palette), 0.1)
    swirl = g.noise(g.grain(), 1.4, 2.0, 2.5)
    second = tuple(min(1.0, channel * rng.uniform(0.7, 1.4)) for channel in first)
    body = g.mix(g.span(swirl, 0.42, 0.6, 0.0, rng.choice([0.0, 0.0, 0.8])), first, second)
    return g.finish(body, rng.uniform(0.1, 0.3), Subsurface_Weight=0.1, Subsurface_Scale=0.1, Coat_Weight=0.4)


def porcelain(rng: Random) -> Any:
    """Glazed porcelain: cold white with, at times, blue bands."""
    g = Graph("porcelain")
    bands = g.math("ABSOLUTE", g.math("SINE", g.math("MULTIPLY", g.along(), rng.uniform(20, 40))))
    body = g.mix(
        g.span(bands, 0.04, 0.1, rng.choice([0.0, 0.9]), 0.0), tint(rng, (0.85, 0.86, 0.86), 0.05), (0.03, 0.07, 0.3)
    )
    return g.finish(body, 0.08, Coat_Weight=0.8)
