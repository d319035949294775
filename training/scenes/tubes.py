"""Meshes swept along a curve: tusk, horn, banana, candle, branch. Plain arrays, lengths in scene units (about 10 cm).

Every tube lies in the xy plane with its base at the start of the curve; slot 0 is the outside, slot 1 the base and
hollow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np

from training.scenes.shapes import Array, Shape, quads, ripple

Section = Callable[[Array, Array], Array]
"""Radius factor from (angle in radians, along in 0..1), both flat arrays."""
_STEPS = 200


def curve(length: float, bend: float, lift: float = 0.0, growth: float = 1.0) -> Array:
    """Points of a curve of `length`, turning by `bend` radians in all, rising `lift` units out of its plane.

    `growth` above 1 puts more of the turn near the tip.
    """
    t = np.linspace(0.0, 1.0, _STEPS)
    heading = bend * (t**growth - 0.5)
    step = length / (_STEPS - 1)
    x = np.concatenate([[0.0], np.cumsum(np.cos(heading[:-1]) * step)])
    y = np.concatenate([[0.0], np.cumsum(np.sin(heading[:-1]) * step)])
    points = np.stack([x, y, lift * t**2], 1)
    centred: Array = points - points.mean(axis=0) * np.array([1.0, 1.0, 0.0])
    return centred


def sweep(
    path: Array, stations: Array, radii: Array, along: Array, section: Section, inside: int = 0, sides: int = 48
) -> Shape:
    """Rings of `radii` at `stations` (0..1 of the path), joined up.

    The first `inside` rings belong to the base or hollow (slot 1). `along` is the material's coordinate per ring.
    """
    where = stations * (len(path) - 1)
    index = np.clip(where.astype(int), 0, len(path) - 2)
    part = (where - index)[:, None]
    centres = path[index] * (1 - part) + path[index + 1] * part
    tangent = np.gradient(path, axis=0)[np.clip(index, 1, len(path) - 2)]
    tangent /= np.linalg.norm(tangent, axis=1)[:, None]
    side = np.cross(tangent, np.array([0.0, 0.0, 1.0]))
    side /= np.linalg.norm(side, axis=1)[:, None]
    up = np.cross(side, tangent)
    angle = np.linspace(0, 2 * math.pi, sides, endpoint=False)
    a, t = np.tile(angle, len(radii)), np.repeat(along, sides)
    reach = (np.repeat(radii, sides) * section(a, t))[:, None]
    spread = np.cos(a)[:, None] * np.repeat(side, sides, 0) + np.sin(a)[:, None] * np.repeat(up, sides, 0)
    verts = np.repeat(centres, sides, 0) + reach * spread
    size = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()) / max(float(radii.max()), 1e-6)
    inner = np.repeat(np.where(np.arange(len(radii)) < inside, radii / radii.max(), 1.0), sides)
    grain = np.stack([np.cos(a) * inner, np.sin(a) * inner, np.repeat(stations, sides) * size], 1)
    faces = [face[::-1] for face in quads(len(radii), sides, closed=True)]
    slots = [1 if i < inside else 0 for i in range(len(radii) - 1) for _ in range(sides)]
    return Shape(verts, faces, grain, t, slots)


def hollow_base(radius: float, depth: float, wall: float) -> tuple[list[float], list[float], list[float]]:
    """Stations, radii and along values of a base with a cavity: from its bottom out to the rim.

    `depth` is in path fractions, `wall` a share of `radius`; depth 0 gives a sawn flat end.
    """
    if depth <= 0:
        shares = [0.0, 0.15, 0.35, 0.6, 0.85, 0.97]
        return [0.0] * 6, [radius * share for share in shares], [0.0] * 6
    steps = np.linspace(1.0, 0.0, 9)
    radii = [radius * (1 - wall) * float(1 - s**1.5) for s in steps]
    return [*(depth * steps), 0.0], [*radii, radius * 0.97], [*(1.2 + 0.8 * steps), 1.05]


def outside(
    profile: Callable[[Array], Array], count: int, base: tuple[list[float], list[float], list[float]]
) -> tuple[Array, Array, Array, int]:
    """Rings of the base followed by `count` rings of the outside, whose radius is profile(t)."""
    t = np.concatenate([[0.0, 0.004], np.linspace(0.012, 1.0, count) ** 0.95])
    stations, radii, along = (
        np.concatenate([np.array(part), extra]) for part, extra in zip(base, (t, profile(t), t), strict=True)
    )
    return stations, radii, along, len(base[0])


def lumpy(rng: Random, amount: float, turns: float = 1.5, runs: float = 5.0) -> Section:
    """A section that wobbles by `amount` of the radius, `turns` times round and `runs` times along."""
    state = rng.getstate()

    def factor(a: Array, t: Array) -> Array:
        local = Random()
        local.setstate(state)
        return 1 + amount * ripple(local, np.stack([np.cos(a) * turns, np.sin(a) * turns, t * runs], 1))

    rng.random()
    return factor


def tusk(rng: Random, length: float, radius: float, bend: float, hollow: bool) -> Shape:
    """An elephant tusk: slow taper, then a rounded point; the base sawn flat or with its pulp cavity open."""
    power, blunt = rng.uniform(1.5, 2.6), rng.uniform(0.5, 0.75)
    base = hollow_base(radius, rng.uniform(0.15, 0.3) if hollow else 0.0, rng.uniform(0.12, 0.3))
    parts = outside(lambda t: radius * np.clip(1 - t**power, 0, 1) ** blunt, 90, base)
    path = curve(length, bend, rng.uniform(0.0, 0.04) * length, rng.uniform(0.9, 1.5))
    wobble = lumpy(rng, 0.025)
    ragged = lumpy(rng, 0.05 if hollow else 0.0, 5.0, 0.0)
    return sweep(
        path,
        parts[0],
        parts[1],
        parts[2],
        lambda a, t: wobble(a, t) * (1 + (ragged(a, t) - 1) * np.exp(-t * 30)),
        parts[3],
    )


def tusk_piece(rng: Random, length: float, radius: float) -> Shape:
    """A sawn section of tusk with two flat ends, both in slot 1."""
    base = hollow_base(radius, 0.0, 0.2)
    parts = outside(lambda t: radius * np.where(t > 0.995, 0.0, 1 - 0.12 * t), 30, base)
    made = sweep(curve(length, rng.uniform(0, 0.25)), parts[0], parts[1], parts[2], lumpy(rng, 0.03), parts[3])
    sides = len(made.verts) // len(parts[1])
    made.slots[-sides:] = [1] * sides
    made.grain[-sides:, :2] = 0.0
    return made


def rhino_horn(rng: Random, length: float, radius: float, bend: float) -> Shape:
    """A rhino horn: a flared, ridged, frayed base, a fast then slow taper, swept back, round-oval in section."""
    flare, slim = rng.uniform(0.12, 0.3), rng.uniform(0.75, 1.0)
    base = (
        [0.03, 0.025, 0.015, 0.005, 0.0],
        [0.0, radius * 0.4, radius * 0.7, radius * 0.9, radius * 0.985],
        [0.0] * 5,
    )

    def profile(t: Array) -> Array:
        skirt = (1 - flare) * np.clip(1 - t, 0, 1) ** slim + flare * np.exp(-t / 0.09)
        made: Array = radius * skirt * np.sqrt(np.clip(1 - t**14, 0, 1)) * (1 - 0.06 * np.exp(-t / 0.012))
        return made

    parts = outside(profile, 110, base)
    lumps, ridges = lumpy(rng, 0.05, 1.5, 4.0), lumpy(rng, 0.035, 7.0, 5.0)
    oval = rng.uniform(0.06, 0.16)

    def section(a: Array, t: Array) -> Array:
        rough = (ridges(a, t) - 1) * np.exp(-t / 0.22)
        made: Array = lumps(a, t) * (1 + rough) * (1 + oval * np.cos(2 * a) * (1 - t))
        return made

    return sweep(curve(length, bend, 0.0, 0.9), parts[0], parts[1], parts[2], section, parts[3], sides=96)


def cow_horn(rng: Random, length: float, radius: float, bend: float) -> Shape:
    """A cattle horn: long, thin, hollow with a thin wall, smooth, curving out of its plane."""
    base = hollow_base(radius, 0.3, 0.14)
    power = rng.uniform(0.7, 0.95)
    parts = outside(
        lambda t: radius * (np.clip(1 - t, 0, 1) ** power * 0.98 + 0.02 * np.sqrt(np.clip(1 - t, 0, 1))), 90, base
    )
    path = curve(length, bend, rng.uniform(0.05, 0.16) * length, rng.uniform(0.8, 1.6))
    return sweep(path, parts[0], parts[1], parts[2], lumpy(rng, 0.02), parts[3])


def banana(rng: Random, length: float, radius: float) -> Shape:
    """A banana: five soft edges, a stalk at the base and a short dark end."""

    def profile(t: Array) -> Array:
        stalk = 0.27 + 0.73 / (1 + np.exp(-(t - 0.17) / 0.028))
        end = np.where(t > 0.975, 0.2, np.clip(1 - ((t - 0.55).clip(0) / 0.45) ** 3.2, 0.0, 1) * 0.86 + 0.14)
        made: Array = radius * stalk * end * np.where(t > 0.998, 0.0, 1.0)
        return made

    parts = outside(profile, 110, hollow_base(radius * 0.25, 0.0, 0.0))
    soft = lumpy(rng, 0.015)
    phase = rng.uniform(0, 6)
    path = curve(length, rng.uniform(1.1, 1.9), 0.0, rng.uniform(0.7, 1.0))
    return sweep(
        path, parts[0], parts[1], parts[2], lambda a, t: soft(a, t) * (1 + 0.045 * np.cos(5 * a + phase)), parts[3]
    )


def candle(rng: Random, length: float, radius: float, taper: float) -> Shape:
    """A straight candle; `taper` is how much thinner the top is, in shares of the radius; it ends in a wick."""
    tip = 0.955

    def profile(t: Array) -> Array:
        wax = (1 - taper * t) * np.clip((tip - t) / 0.03, 0, 1) ** 0.4
        return radius * np.maximum(wax, np.where(t < 0.999, 0.07, 0.0))

    parts = outside(profile, 110, hollow_base(radius, 0.0, 0.0))
    return sweep(curve(length, rng.uniform(0, 0.05)), parts[0], parts[1], parts[2], lumpy(rng, 0.006), parts[3])


def branch(rng: Random, length: float, radius: float, bend: float) -> Shape:
    """A peeled, weathered branch: crooked, knotty, tapering to a broken end."""
    parts = outside(
        lambda t: radius * (1 - 0.75 * t) * np.where(t > 0.997, 0.0, 1.0), 90, hollow_base(radius, 0.0, 0.0)
    )
    path = curve(length, bend, 0.05 * length, rng.uniform(0.8, 1.8))
    path[:, 1] += 0.02 * length * ripple(rng, path * 5 / length)
    return sweep(path, parts[0], parts[1], parts[2], lumpy(rng, 0.09, 1.6, 9.0), parts[3])


def cone(rng: Random, length: float, radius: float) -> Shape:
    """A turned wooden cone with a rounded tip and a shallow groove near its base."""
    groove = rng.uniform(0.08, 0.3)
    parts = outside(
        lambda t: (
            radius * (1 - t) ** 0.9 * (1 - 0.08 * np.exp(-(((t - groove) / 0.012) ** 2)))
            + radius * 0.05 * np.sqrt(np.clip(1 - t, 0, 1))
        ),
        110,
        hollow_base(radius, 0.0, 0.0),
    )
    return sweep(curve(length, rng.uniform(0.0, 0.12)), parts[0], parts[1], parts[2], lumpy(rng, 0.004), parts[3])
