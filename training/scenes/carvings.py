"""Meshes of small worked things: beads, seals, chess pieces, robed figures, netsuke, vases. In units of 10 cm.

On figures, netsuke and vases `along` is the depth of the carving: 0 on the surface, 1 in a groove.
"""

from __future__ import annotations

import math
from random import Random

import numpy as np

from training.scenes.cords import join, moved
from training.scenes.lathes import pebble, smooth, turned
from training.scenes.shapes import Shape, ripple

PIECES: dict[str, list[tuple[float, float]]] = {
    "pawn": [
        (0.20, 0.30),
        (0.09, 0.38),
        (0.08, 0.55),
        (0.15, 0.60),
        (0.08, 0.63),
        (0.15, 0.75),
        (0.10, 0.87),
        (0.00, 0.90),
    ],
    "rook": [
        (0.20, 0.30),
        (0.13, 0.40),
        (0.12, 0.68),
        (0.18, 0.74),
        (0.19, 0.92),
        (0.13, 0.92),
        (0.12, 0.84),
        (0.00, 0.84),
    ],
    "bishop": [
        (0.20, 0.32),
        (0.09, 0.45),
        (0.08, 0.78),
        (0.15, 0.83),
        (0.09, 0.88),
        (0.14, 1.00),
        (0.08, 1.16),
        (0.03, 1.20),
    ],
    "queen": [
        (0.21, 0.34),
        (0.10, 0.50),
        (0.08, 0.95),
        (0.16, 1.00),
        (0.09, 1.06),
        (0.18, 1.30),
        (0.12, 1.30),
        (0.04, 1.38),
    ],
    "king": [
        (0.21, 0.34),
        (0.11, 0.50),
        (0.09, 1.00),
        (0.17, 1.06),
        (0.10, 1.12),
        (0.17, 1.38),
        (0.05, 1.46),
        (0.04, 1.60),
    ],
}  # fmt: skip
"""Profiles above the foot, (radius, height) for a piece 0.9 to 1.6 units high."""


def bead(rng: Random, radius: float) -> Shape:
    """A bead with its hole along the vertical: round, barrel or faceted."""
    form = rng.choice(["round", "round", "barrel", "carved"])
    t = np.linspace(0.12, math.pi - 0.12, 18)
    bulge = np.sin(t) if form != "barrel" else np.sin(t) ** 0.45
    profile = np.stack([radius * bulge, -radius * np.cos(t) * (1.3 if form == "barrel" else 1.0)], 1)
    wobble = np.ones((len(profile), 28))
    if form == "carved":
        angle = np.linspace(0, 2 * math.pi, 28, endpoint=False)
        wobble = 1 - 0.09 * np.cos(angle * 7)[None, :] * np.sin(t * 3)[:, None]
    return turned(profile, 28, wobble)


def seal(rng: Random, length: float, radius: float) -> Shape:
    """A seal lying along the x axis, round or square in section; slot 1 is the end that prints."""
    square, sides = rng.random() < 0.4, 48
    angle = np.linspace(0, 2 * math.pi, sides, endpoint=False)
    form = np.maximum(np.abs(np.cos(angle)), np.abs(np.sin(angle))) ** -0.94 if square else np.ones(sides)
    domed = rng.choice([0.02, 0.3])
    line = [(0.0, 0.0), (radius * 0.7, 0.0), (radius * 0.96, 0.0), (radius, radius * 0.06), (radius, length * 0.5)]
    line += [(radius, length - radius * domed), (radius * 0.8, length - radius * 0.02), (0.0, length)]
    profile = np.array(line)
    made = turned(profile, sides, np.tile(form, (len(profile), 1)))
    made.verts = made.verts[:, [2, 0, 1]] - np.array([length / 2, 0.0, 0.0])
    made.grain = made.grain[:, [0, 2, 1]]
    made.slots = [1 if ring < 3 else 0 for ring in range(len(profile) - 1) for _ in range(sides)]
    return made


def chess_piece(rng: Random, name: str, plump: float) -> Shape:
    """A turned chess piece standing on height 0; `plump` widens it."""
    foot = [(0.0, 0.0), (0.30, 0.0), (0.31, 0.07), (0.27, 0.12), (0.28, 0.17), (0.22, 0.2)]
    line = smooth([*foot, *PIECES[name]], 5)
    line = np.clip(line * np.array([plump, 1.0]), 0.0, None)
    made = turned(np.concatenate([line, [[0.0, line[-1, 1]]]]), 40)
    if name == "king":
        top, arm = float(line[-1, 1]), 0.05 * plump
        made = join(
            [made, moved(_bar(arm, 0.2), (0.0, 0.0, top)), moved(_bar(arm, 0.16, True), (0.0, 0.0, top + 0.08))]
        )
    return made


def _bar(thick: float, length: float, lying: bool = False) -> Shape:
    """A small square bar, upright or along x."""
    line = np.array([(0.0, 0.0), (thick, 0.0), (thick, length), (0.0, length)])
    made = turned(line, 4)
    if lying:
        made.verts = made.verts[:, [2, 1, 0]] - np.array([length / 2, 0.0, 0.0])
        made.faces = [face[::-1] for face in made.faces]
    return made


def figure(rng: Random, height: float) -> Shape:
    """A standing robed figure on a round base: folds of cloth, sleeves, a head with a topknot or a hat."""
    sides, lean = 72, rng.uniform(-0.08, 0.08)
    line = smooth(
        [
            (0.0, 0.0), (0.26, 0.0), (0.27, 0.05), (0.2, 0.08), (rng.uniform(0.17, 0.23), 0.14),
            (rng.uniform(0.13, 0.17), 0.42), (rng.uniform(0.16, 0.2), 0.62), (0.16, 0.74), (0.06, 0.8), (0.0, 0.81),
        ],
        9,
    )  # fmt: skip
    angle, level = np.meshgrid(np.linspace(0, 2 * math.pi, sides, endpoint=False), line[:, 1])
    drape = np.clip((level - 0.08) * 8, 0, 1) * np.clip((0.78 - level) * 8, 0, 1)
    folds = np.cos(rng.randint(7, 12) * angle + rng.uniform(2, 9) * level + 1.2 * np.sin(2 * angle))
    lumps = ripple(rng, np.stack([np.cos(angle), np.sin(angle), level * 5], 2).reshape(-1, 3)).reshape(angle.shape)
    body = turned(line, sides, 1 + drape * (0.07 * folds + 0.1 * lumps) + 0.12 * drape * np.cos(2 * angle))
    body.along = (drape * np.clip(0.15 - folds - 0.6 * lumps, 0, 1)).ravel()
    head = moved(_ball(rng, 0.085, 1.25), (0.0, -0.01, 0.87))
    parts = [body, head, moved(_ball(rng, 0.045, rng.uniform(0.8, 1.8)), (0.0, 0.01, rng.uniform(0.97, 1.0)))]
    for side in (-1, 1):
        arm = moved(_ball(rng, 0.075, rng.uniform(1.4, 2.4)), (side * 0.15, -0.08, rng.uniform(0.52, 0.66)))
        hand = moved(_ball(rng, 0.04, 1.2), (side * rng.uniform(0.02, 0.14), -0.2, rng.uniform(0.5, 0.68)))
        parts += [arm, hand]
    if rng.random() < 0.4:
        parts.append(moved(_bar(0.016, 0.9), (rng.choice([-0.2, 0.2]), -0.16, 0.06)))
    made = join(parts)
    made.verts[:, 0] += lean * made.verts[:, 2] ** 2
    made.verts *= height
    made.grain = made.verts[:, [0, 1, 2]] * 3 / height
    return made


def _ball(rng: Random, radius: float, tall: float) -> Shape:
    """An uneven ball, `tall` times as high as wide."""
    t = np.linspace(0.0, math.pi, 20)
    made = turned(np.stack([radius * np.sin(t), -radius * tall * np.cos(t)], 1), 28)
    bumps = ripple(rng, made.verts * 2.6 / radius)
    made.verts *= 1 + 0.06 * bumps[:, None]
    made.along = np.clip(-0.1 - bumps, 0, 1)
    return made


def netsuke(rng: Random, size: float) -> Shape:
    """A rounded small carving, cut by deep smooth grooves: a curled animal seen from any side."""
    lump = pebble(rng, size, 0, 0.2)
    spots = lump.verts / size
    cut = np.abs(ripple(rng, spots * rng.uniform(5, 8), 5))
    lump.along = np.exp(-((cut / 0.2) ** 2))
    lump.verts *= (1 - 0.14 * lump.along)[:, None]
    ear = [moved(_ball(rng, size * 0.11, 1.3), (side * size * 0.16, -size * 0.3, size * 0.2)) for side in (-1, 1)]
    head = moved(_ball(rng, size * 0.24, 0.9), (0.0, -size * 0.34, size * 0.06))
    return join([lump, head, *ear])


def vase(rng: Random, height: float) -> Shape:
    """A small vase, pot or box with a lid, with carved bands."""
    belly, neck = rng.uniform(0.22, 0.38), rng.uniform(0.1, 0.26)
    line = smooth(
        [(0.0, 0.0), (0.2, 0.0), (0.22, 0.05), (belly, 0.4), (neck, 0.8),
         (neck * 1.25, 1.0), (neck, 0.99), (neck * 0.9, 0.8), (belly * 0.8, 0.4), (0.0, 0.2)], 9,
    )  # fmt: skip
    angle = np.linspace(0, 2 * math.pi, 96, endpoint=False)
    carved = np.cos(rng.randint(8, 20) * angle + rng.uniform(0, 4) * line[:, 1:])
    band = np.clip(np.sin(line[:, 1] * rng.uniform(9, 25)), 0, 1)[:, None] * rng.choice([0.0, 0.5, 1.0])
    made = turned(line, 96, 1 + 0.06 * carved * band)
    made.along = (np.clip(-carved, 0, 1) * band).ravel()
    made.verts *= height
    return made


FORMS = {"figure": (figure, 0.9, 2.0), "netsuke": (netsuke, 0.35, 0.6), "vase": (vase, 0.7, 1.5)}
"""Form and its height or length in units, from and to."""
