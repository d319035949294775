"""Procedural materials of the products: ivory, rhino horn, pangolin scale.

Each function takes the scene's random generator and returns a Blender material. Colours are linear RGB; texture
coordinates come from the mesh (`grain`, `along`, see shapes.Shape), so fibres follow a curved tusk or horn.
"""

from __future__ import annotations

from random import Random
from typing import Any

from training.scenes.nodes import Colour, Graph


def tint(rng: Random, colour: Colour, spread: float = 0.12) -> Colour:
    """`colour` made lighter or darker, and a little warmer or cooler, by up to `spread`."""
    light, warm = rng.uniform(1 - spread, 1 + spread), rng.uniform(-spread, spread) / 3
    return (
        min(1.0, colour[0] * light * (1 + warm)),
        min(1.0, colour[1] * light),
        min(1.0, colour[2] * light * (1 - warm)),
    )


def _cracks(g: Graph, width: float, density: float, around: float, stretch: float) -> Any:
    """Lines along the grain, 1 on a crack and 0 elsewhere.

    `width` is the half-width in noise units, `density` 0..1 how much of the surface is cracked.
    """
    field = g.noise(g.grain((around, around, stretch)), 1.0, 3.0, 0.3)
    line = g.span(g.math("ABSOLUTE", g.math("SUBTRACT", field, 0.5)), 0.0, width, 1.0, 0.0)
    patch = g.span(
        g.noise(g.grain((1.6, 1.6, stretch * 1.5), 5.0), 1.0, 2.0), 0.66 - 0.3 * density, 0.72 - 0.3 * density
    )
    return g.math("MULTIPLY", line, patch)


def raw_ivory(rng: Random, stain: float = 0.6) -> Any:
    """The skin of a raw tusk: cream, brown staining in streaks that fades towards the worn tip, fine long cracks.

    `stain` is 0 (clean) to 1 (old and dark).
    """
    g = Graph("raw ivory")
    cream, deep = tint(rng, (0.72, 0.58, 0.37), 0.08), tint(rng, (0.50, 0.32, 0.14))
    brown = tint(rng, (0.15, 0.066, 0.024), 0.3)
    streak = g.noise(g.grain((2.6, 2.6, 0.22)), 1.0, 5.0, 0.9)
    cloud = g.noise(g.grain((0.9, 0.9, 0.42)), 1.0, 5.0, 1.1, 0.65)
    colour = g.ramp(
        g.math("ADD", g.math("MULTIPLY", streak, 0.3), g.math("MULTIPLY", cloud, 0.7)), [(0.38, deep), (0.56, cream)]
    )
    belt = g.ramp(
        g.along(),
        [(0.0, (0.03,) * 3), (0.12, (0.05,) * 3), (0.3, (0.12,) * 3), (0.6, (0.07,) * 3), (1.0, (-0.09,) * 3)],
    )
    mottle = g.math("ADD", g.math("ADD", g.math("MULTIPLY", streak, 0.5), g.math("MULTIPLY", cloud, 0.5)), belt)
    dirt = g.span(mottle, 0.66 - 0.16 * stain, 0.78 - 0.14 * stain, 0.0, 0.35 + 0.6 * stain)
    colour = g.mix(dirt, colour, brown)
    crack = _cracks(g, 0.008, 0.35 + 0.4 * stain, 3.4, 0.045)
    colour = g.mix(g.math("MULTIPLY", crack, 0.85), colour, (0.05, 0.026, 0.012))
    fine = g.noise(g.grain((18.0, 18.0, 1.2)), 1.0, 4.0)
    normal = g.bump(fine, 0.12, 0.012, g.bump(g.math("SUBTRACT", cloud, crack), 0.5, 0.035))
    rough = g.span(g.math("ADD", cloud, g.math("MULTIPLY", dirt, 0.3)), 0.3, 0.8, 0.24, 0.6)
    return g.finish(
        colour, rough, normal, Subsurface_Weight=0.12, Subsurface_Radius=(0.12, 0.07, 0.03), Subsurface_Scale=0.6
    )


def ivory_section(rng: Random) -> Any:
    """A sawn base or the hollow: paler ivory with growth rings and Schreger lines, dark brown deep inside."""
    g = Graph("ivory section")
    parts = g.node("SeparateXYZ")
    g.put(parts.inputs[0], g.grain(shift=0.0))
    x, y = parts.outputs[0], parts.outputs[1]
    radius = g.math("SQRT", g.math("ADD", g.math("MULTIPLY", x, x), g.math("MULTIPLY", y, y)))
    turn = g.math("MULTIPLY", g.math("ARCTAN2", y, x), 34.0)
    spiral = g.math("MULTIPLY", radius, 60.0)
    schreger = g.math(
        "MULTIPLY", g.math("SINE", g.math("ADD", turn, spiral)), g.math("SINE", g.math("SUBTRACT", turn, spiral))
    )
    rings = g.math("SINE", g.math("MULTIPLY", radius, 55.0))
    blot = g.noise(g.grain((2.5, 2.5, 0.5)), 1.0, 6.0)
    tone = g.math("ADD", blot, g.math("MULTIPLY", g.math("ADD", schreger, rings), 0.035))
    colour = g.ramp(tone, [(0.3, tint(rng, (0.48, 0.33, 0.17))), (0.58, tint(rng, (0.76, 0.64, 0.44)))])
    core = g.span(radius, 0.0, 0.07, 0.75, 0.0)
    deep = g.span(g.along(), 1.05, 1.7, 0.0, 0.93)
    colour = g.mix(g.math("MAXIMUM", core, deep), colour, (0.05, 0.028, 0.014))
    rim = g.span(radius, 0.9, 1.0, 0.0, 0.5)
    colour = g.mix(rim, colour, tint(rng, (0.3, 0.18, 0.08)))
    return g.finish(colour, 0.6, g.bump(tone, 0.3, 0.02), Subsurface_Weight=0.08, Subsurface_Scale=0.4)


def worked_ivory(rng: Random) -> Any:
    """Polished ivory of a bangle: cream with a faint grain, yellow to tea-brown patina, hairline cracks."""
    g = Graph("worked ivory")
    age = rng.uniform(0.0, 1.0)
    pale = tint(rng, (0.80 - 0.15 * age, 0.70 - 0.22 * age, 0.50 - 0.25 * age), 0.06)
    deep = tint(rng, (0.62 - 0.2 * age, 0.44 - 0.2 * age, 0.22 - 0.12 * age), 0.1)
    lines = g.noise(g.grain((2.0, 30.0, 2.0)), 1.0, 3.0, 0.5)
    patina = g.noise(g.grain(), 1.6, 7.0, 0.6)
    colour = g.ramp(
        g.math("ADD", g.math("MULTIPLY", lines, 0.35), g.math("MULTIPLY", patina, 0.65)), [(0.34, deep), (0.6, pale)]
    )
    field = g.noise(g.grain((1.0, 1.0, 0.8)), 3.5, 2.0, 0.4)
    crack = g.span(g.math("ABSOLUTE", g.math("SUBTRACT", field, 0.5)), 0.0, 0.004, 1.0, 0.0)
    crack = g.math("MULTIPLY", crack, g.span(patina, 0.5, 0.56))
    colour = g.mix(g.math("MULTIPLY", crack, 0.75), colour, (0.10, 0.05, 0.02))
    return g.finish(
        colour,
        0.26,
        g.bump(crack, 0.3, 0.01),
        Subsurface_Weight=0.25,
        Subsurface_Radius=(0.1, 0.06, 0.03),
        Subsurface_Scale=0.5,
        Coat_Weight=0.15,
    )


def rhino_keratin(rng: Random) -> Any:
    """Rhino horn: grey-brown, coarse hair-like fibres at the base, smoother and darker towards the tip."""
    g = Graph("rhino keratin")
    light, dark = tint(rng, (0.22, 0.155, 0.095), 0.25), tint(rng, (0.022, 0.017, 0.013), 0.3)
    coarse = g.noise(g.grain((7.0, 7.0, 0.35)), 1.0, 6.0, 0.5)
    fine = g.noise(g.grain((34.0, 34.0, 1.6)), 1.0, 4.0)
    cloud = g.noise(g.grain((1.2, 1.2, 0.7)), 1.0, 6.0, 0.7)
    tone = g.math("ADD", g.math("MULTIPLY", coarse, 0.45), g.math("MULTIPLY", g.math("ADD", fine, cloud), 0.275))
    worn = g.span(g.along(), 0.0, 0.75, 0.05, -0.07)
    colour = g.ramp(
        g.math("ADD", tone, worn), [(0.36, dark), (0.52, tint(rng, (0.085, 0.056, 0.035), 0.2)), (0.7, light)]
    )
    scuff = g.span(g.noise(g.grain((2.0, 2.0, 0.9)), 1.0, 9.0, 0.5, 0.7), 0.52, 0.7, 0.0, 0.6)
    colour = g.mix(scuff, colour, tint(rng, (0.36, 0.27, 0.18)))
    normal = g.bump(fine, 0.5, 0.03, g.bump(coarse, 0.7, 0.07))
    return g.finish(colour, g.span(g.along(), 0.1, 0.8, 0.72, 0.42), normal)


def horn_base(rng: Random) -> Any:
    """The cut or torn underside of a horn: paler, dotted with fibre ends."""
    g = Graph("horn base")
    dots = g.cells(g.grain(), 22.0)
    cloud = g.noise(g.grain(), 2.0, 6.0)
    tone = g.math("ADD", g.math("MULTIPLY", dots, 0.5), g.math("MULTIPLY", cloud, 0.6))
    colour = g.ramp(tone, [(0.3, (0.05, 0.03, 0.018)), (0.7, tint(rng, (0.24, 0.16, 0.09)))])
    return g.finish(colour, 0.8, g.bump(dots, 0.6, 0.03))


def pangolin_keratin(rng: Random, under: bool = False) -> Any:
    """Pangolin scale: brown to olive-grey, grooves converging on the tip, growth lines, a worn amber edge.

    `under` gives the smooth, paler lower face. Every object is a little lighter or darker.
    """
    g = Graph("pangolin keratin")
    dark, middle = tint(rng, (0.022, 0.015, 0.010), 0.3), tint(rng, (0.10, 0.062, 0.032), 0.3)
    amber = tint(rng, (0.30, 0.18, 0.075), 0.25)
    groove = g.noise(g.grain((13.0, 1.0, 0.9)), 1.0, 4.0, 0.25)
    rings = g.noise(g.grain((1.2, 1.0, 17.0)), 1.0, 4.0, 0.5)
    cloud = g.noise(g.grain((1.2, 1.0, 2.5)), 1.0, 6.0, 0.5)
    weights = (0.15, 0.3, 0.55) if under else (0.5, 0.2, 0.3)
    terms = [g.math("MULTIPLY", value, weight) for value, weight in zip((groove, rings, cloud), weights, strict=True)]
    tone = g.math("ADD", g.math("ADD", terms[0], terms[1]), terms[2])
    tone = g.math("ADD", tone, g.math("MULTIPLY", g.math("SUBTRACT", g.chance(), 0.5), 0.22))
    colour = g.ramp(tone, [(0.36, dark), (0.54, middle), (0.8, amber)])
    worn = g.span(g.math("ADD", g.along(), g.math("MULTIPLY", cloud, 0.35)), 0.90, 1.2, 0.0, 0.75)
    colour = g.mix(worn, colour, amber)
    if under:
        colour = g.mix(0.4, colour, tint(rng, (0.20, 0.13, 0.07), 0.25))
    depth = 0.004 if under else 0.016
    normal = g.bump(rings, 0.4, 0.006, g.bump(groove, 0.7, depth))
    return g.finish(colour, g.span(cloud, 0.3, 0.7, 0.32, 0.55), normal, Subsurface_Weight=0.05, Subsurface_Scale=0.05)
