"""One scene from its kind and seed: stage, subject, framing, photo, mask. Same arguments, same picture."""

from __future__ import annotations

from pathlib import Path
from random import Random

from training.scenes.backgrounds import Background
from training.scenes.framing import fit
from training.scenes.kind import Kind
from training.scenes.printed import print_floor, stand_wall
from training.scenes.render import Settings, mask, photo
from training.scenes.studio import FLOOR, stage


def make(
    kind: Kind,
    seed: int,
    target: Path,
    settings: Settings,
    mask_target: Path | None = None,
    variant: str | None = None,
    floor: str | None = None,
    background: Background | None = None,
) -> str:
    """Render `kind` with `seed` to `target` (JPEG), its mask to `mask_target` if given; returns the variant shown.

    `variant` and `floor` override what the seed would choose. Camera, light and floor depend on the family and the
    seed only, so a product and its twin share them. `background` puts a photo on the floor or on a wall; a wall
    brings its own camera height.
    """
    shared = Random(f"{kind.family}-{seed}")
    if floor is None and kind.floors:
        floor = Random(f"{kind.family}-{seed}-floor").choice(kind.floors)
    tilt = background.tilt if background and background.use == "wall" else None
    scene = stage(shared, kind.span, (settings.width, settings.height), floor, tilt)
    fill = shared.uniform(0.6, 0.95)
    own = Random(f"{kind.name}-{seed}")
    chosen = own.choice(list(kind.variants))
    shown = variant or chosen
    kind.variants[shown](scene, own)
    fit(scene, kind.span, fill * (0.85 if kind.loose else 1.0), whole=not kind.loose)
    if background and background.use == "floor":
        print_floor(background, next(item for item in scene.objects if FLOOR in item), kind.span)
    elif background:
        stand_wall(background, scene, kind.span)
    photo(scene, target, settings)
    if mask_target is not None:
        mask(scene, mask_target, settings)
    return shown
