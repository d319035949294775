"""Meshes of teeth, claws and things of their form, swept like tusks; conventions as in tubes.py."""

from __future__ import annotations

from random import Random

import numpy as np

from training.scenes.shapes import Array, Shape
from training.scenes.tubes import curve, hollow_base, lumpy, outside, sweep

RING = 36
"""Vertices around canines and claws."""


def whale_tooth(rng: Random, length: float) -> Shape:
    """A sperm whale tooth: stout, oval, swelling in its middle, open or closed root, blunt point."""
    radius, swell = length * rng.uniform(0.15, 0.21), rng.uniform(0.1, 0.3)
    power, blunt = rng.uniform(1.8, 2.8), rng.uniform(0.55, 0.8)
    hollow = rng.random() < 0.5

    def profile(t: Array) -> Array:
        body = (1 - swell) + swell * np.sin(np.pi * np.clip(t * 1.4, 0, 1))
        made: Array = radius * body * np.clip(1 - t**power, 0, 1) ** blunt
        return made

    parts = outside(profile, 80, hollow_base(radius * (1 - swell), 0.25 if hollow else 0.0, rng.uniform(0.15, 0.3)))
    wobble, oval = lumpy(rng, 0.03), rng.uniform(0.08, 0.18)
    path = curve(length, rng.uniform(0.3, 0.9), 0.0, rng.uniform(0.8, 1.3))
    return sweep(
        path, parts[0], parts[1], parts[2], lambda a, t: wobble(a, t) * (1 + oval * np.cos(2 * a)), parts[3], 40
    )


def walrus_tusk(rng: Random, length: float) -> Shape:
    """A walrus tusk: long, flattened, nearly straight, with shallow grooves down its faces."""
    radius = length * rng.uniform(0.055, 0.075)
    power, blunt = rng.uniform(1.3, 2.0), rng.uniform(0.5, 0.7)
    parts = outside(
        lambda t: radius * np.clip(1 - t**power, 0, 1) ** blunt, 90, hollow_base(radius, rng.choice([0.0, 0.1]), 0.3)
    )
    wobble, oval, groove = lumpy(rng, 0.03, 1.5, 4.0), rng.uniform(0.18, 0.3), rng.uniform(0.02, 0.06)
    return sweep(
        curve(length, rng.uniform(0.2, 0.6), 0.0, 1.0),
        parts[0],
        parts[1],
        parts[2],
        lambda a, t: wobble(a, t) * (1 + oval * np.cos(2 * a) + groove * np.cos(6 * a)),
        parts[3],
    )


def hippo_tusk(rng: Random, length: float) -> Shape:
    """A hippopotamus canine: bent over half a circle or less, three-sided, ribbed, worn off obliquely at its tip."""
    radius = length * rng.uniform(0.06, 0.085)
    cut = rng.uniform(0.85, 0.94)

    def profile(t: Array) -> Array:
        worn = np.where(t > cut, np.clip((1 - t) / (1 - cut), 0, 1) ** 0.6, 1.0)
        made: Array = radius * (1 - 0.18 * t) * worn
        return made

    parts = outside(profile, 110, hollow_base(radius, rng.uniform(0.12, 0.25), 0.15))
    wobble, phase = lumpy(rng, 0.03, 1.5, 8.0), rng.uniform(0, 6)

    def section(a: Array, t: Array) -> Array:
        ribs = 0.09 * np.cos(3 * a + phase) + 0.018 * np.cos(14 * a)
        made: Array = wobble(a, t) * (1 + ribs)
        return made

    path = curve(length, rng.uniform(1.7, 2.7), 0.05 * length, 1.0)
    return sweep(path, parts[0], parts[1], parts[2], section, parts[3], sides=60)


def hippo_incisor(rng: Random, length: float) -> Shape:
    """A hippopotamus incisor: a straight round peg with a worn, rounded end."""
    radius, power = length * rng.uniform(0.085, 0.12), rng.uniform(4.0, 9.0)
    parts = outside(lambda t: radius * np.clip(1 - t**power, 0, 1) ** 0.55, 70, hollow_base(radius, 0.12, 0.25))
    return sweep(curve(length, rng.uniform(0, 0.25)), parts[0], parts[1], parts[2], lumpy(rng, 0.03), parts[3], 40)


def radish(rng: Random, length: float, radius: float) -> Shape:
    """A white radish or parsnip: thick shoulders, slow taper, thin root end."""
    power = rng.uniform(0.5, 0.9)
    parts = outside(
        lambda t: (
            radius * np.clip(t / 0.05, 0.3, 1) ** 0.5 * (np.clip(1 - t, 0, 1) ** power * 0.97 + 0.03 * (t < 0.995))
        ),
        90,
        hollow_base(radius * 0.3, 0.0, 0.0),
    )
    wobble, rings = lumpy(rng, 0.04, 1.5, 4.0), lumpy(rng, 0.01, 0.3, 30.0)
    path = curve(length, rng.uniform(0, 0.5), 0.0, 1.4)
    return sweep(path, parts[0], parts[1], parts[2], lambda a, t: wobble(a, t) * rings(a, t), parts[3])


def pipe(rng: Random, length: float, radius: float) -> Shape:
    """A straight or bent round pipe or rod with flat ends."""
    parts = outside(
        lambda t: radius * np.where(t > 0.997, 0.0, 1.0), 40, hollow_base(radius, rng.choice([0.0, 0.3]), 0.12)
    )
    path = curve(length, rng.choice([0.0, rng.uniform(0, 0.6)]))
    return sweep(path, parts[0], parts[1], parts[2], lumpy(rng, 0.002), parts[3])


def horn_piece(rng: Random, length: float, radius: float, taper: float) -> Shape:
    """A sawn piece or slice of a rhino horn: fibrous rough rim, both ends flat (slot 1), narrowing by `taper`."""
    parts = outside(lambda t: radius * np.where(t > 0.995, 0.0, 1 - taper * t), 30, hollow_base(radius, 0.0, 0.2))
    ridges, lumps, oval = lumpy(rng, 0.03, 9.0, 3.0), lumpy(rng, 0.07, 1.4, 1.0), rng.uniform(0.05, 0.18)
    made = sweep(
        curve(length, rng.uniform(0, 0.2)),
        parts[0],
        parts[1],
        parts[2],
        lambda a, t: ridges(a, t) * lumps(a, t) * (1 + oval * np.cos(2 * a)),
        parts[3],
        sides=96,
    )
    sides = len(made.verts) // len(parts[1])
    made.slots[-sides:] = [1] * sides
    made.grain[-sides:, :2] = 0.0
    return made


def canine(rng: Random, length: float) -> Shape:
    """A big cat's canine: a thick root for more than half of it, then a bent, pointed crown."""
    radius = length * rng.uniform(0.13, 0.17)

    def profile(t: Array) -> Array:
        made: Array = radius * np.clip(0.72 + 0.6 * t, 0, 1) * np.clip(1 - np.clip(t - 0.35, 0, 1) / 0.65, 0, 1) ** 0.75
        return made

    parts = outside(profile, 70, hollow_base(radius * 0.72, rng.choice([0.0, 0.08]), 0.3))
    wobble, oval = lumpy(rng, 0.02), rng.uniform(0.1, 0.2)
    path = curve(length, rng.uniform(0.6, 1.1), 0.0, 1.5)
    return sweep(
        path, parts[0], parts[1], parts[2], lambda a, t: wobble(a, t) * (1 + oval * np.cos(2 * a)), parts[3], RING
    )


def claw(rng: Random, length: float) -> Shape:
    """A big cat's claw: strongly hooked, flat from the sides, needle-sharp."""
    radius, power = length * rng.uniform(0.14, 0.18), rng.uniform(0.7, 0.9)
    parts = outside(lambda t: radius * np.clip(1 - t, 0, 1) ** power, 70, hollow_base(radius, 0.1, 0.25))
    flat = rng.uniform(0.25, 0.38)
    path = curve(length, rng.uniform(1.6, 2.4), 0.0, 0.9)
    return sweep(path, parts[0], parts[1], parts[2], lambda a, t: 1 + flat * np.cos(2 * a), parts[3], RING)
