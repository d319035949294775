"""Procedural materials of teeth and claws; conventions as in materials.py."""

from __future__ import annotations

from random import Random
from typing import Any

from training.scenes.materials import tint
from training.scenes.nodes import Graph


def tooth(rng: Random, age: float | None = None) -> Any:
    """A whale, walrus or hippo tooth: cream to tea brown, a rough darker root, long streaks and hairline cracks.

    `age` is 0 (bleached, polished) to 1 (brown); by default by chance.
    """
    g = Graph("tooth")
    old = rng.random() if age is None else age
    pale = tint(rng, (0.80 - 0.25 * old, 0.71 - 0.32 * old, 0.53 - 0.33 * old), 0.07)
    deep = tint(rng, (0.58 - 0.3 * old, 0.42 - 0.27 * old, 0.23 - 0.17 * old), 0.12)
    streak = g.noise(g.grain((3.0, 3.0, 0.3)), 1.0, 5.0, 0.6)
    cloud = g.noise(g.grain((1.0, 1.0, 0.5)), 1.0, 6.0, 0.8)
    tone = g.math("ADD", g.math("MULTIPLY", streak, 0.5), g.math("MULTIPLY", cloud, 0.5))
    colour = g.ramp(tone, [(0.36, deep), (0.58, pale)])
    reach = rng.uniform(0.1, 0.5)
    root = g.span(
        g.math("ADD", g.along(), g.math("MULTIPLY", cloud, 0.2)), 0.05, reach + 0.1, rng.uniform(0.3, 0.9), 0.0
    )
    colour = g.mix(root, colour, tint(rng, (0.33, 0.21, 0.10), 0.25))
    crack = g.span(g.math("ABSOLUTE", g.math("SUBTRACT", streak, 0.52)), 0.0, 0.006, 0.7, 0.0)
    colour = g.mix(g.math("MULTIPLY", crack, g.span(cloud, 0.48, 0.56)), colour, (0.08, 0.045, 0.02))
    rough = g.span(root, 0.0, 0.8, rng.uniform(0.2, 0.4), 0.65)
    fine = g.noise(g.grain((16.0, 16.0, 1.4)), 1.0, 4.0)
    return g.finish(
        colour,
        rough,
        g.bump(fine, 0.15, 0.012, g.bump(streak, 0.3, 0.02)),
        Subsurface_Weight=0.18,
        Subsurface_Radius=(0.12, 0.07, 0.035),
        Subsurface_Scale=0.5,
    )


def claw_keratin(rng: Random) -> Any:
    """A big cat's claw: horn-white to amber, translucent, greyer at its root."""
    g = Graph("claw")
    pale, amber = tint(rng, (0.62, 0.52, 0.38)), tint(rng, (0.36, 0.24, 0.12), 0.2)
    layer = g.noise(g.grain((2.0, 2.0, 0.35)), 1.0, 5.0, 0.4)
    tone = g.math("ADD", g.math("MULTIPLY", layer, 0.7), g.math("MULTIPLY", g.along(), rng.uniform(-0.3, 0.4)))
    colour = g.ramp(tone, [(0.25, amber), (0.5, pale), (0.8, tint(rng, (0.72, 0.66, 0.55)))])
    return g.finish(
        colour, 0.28, g.bump(layer, 0.3, 0.01), Subsurface_Weight=0.3, Subsurface_Scale=0.15, Coat_Weight=0.2
    )


def radish_skin(rng: Random) -> Any:
    """White radish or parsnip: white to cream with fine rings and a green or brown crown."""
    g = Graph("radish")
    body = tint(rng, rng.choice([(0.80, 0.80, 0.74), (0.74, 0.66, 0.46)]), 0.06)
    crown = tint(rng, rng.choice([(0.35, 0.48, 0.12), (0.30, 0.20, 0.08)]))
    rings = g.noise(g.grain((0.6, 0.6, 3.0)), 1.0, 5.0, 0.3)
    colour = g.mix(g.span(rings, 0.56, 0.68, 0.0, 0.5), body, (body[0] * 0.6, body[1] * 0.52, body[2] * 0.4))
    colour = g.mix(g.span(g.along(), 0.02, rng.uniform(0.1, 0.3), 0.9, 0.0), colour, crown)
    return g.finish(colour, 0.4, g.bump(rings, 0.3, 0.02), Subsurface_Weight=0.3, Subsurface_Scale=0.3)
