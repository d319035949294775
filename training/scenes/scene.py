"""One scene from its kind and seed: stage, subject, framing, photo, mask. Same arguments, same picture."""

from __future__ import annotations

from pathlib import Path
from random import Random

from training.scenes.framing import fit
from training.scenes.kinds import Kind
from training.scenes.render import Settings, mask, photo
from training.scenes.studio import stage


def make(
    kind: Kind,
    seed: int,
    target: Path,
    settings: Settings,
    mask_target: Path | None = None,
    variant: str | None = None,
    floor: str | None = None,
) -> str:
    """Render `kind` with `seed` to `target` (JPEG), its mask to `mask_target` if given; returns the variant shown.

    `variant` and `floor` override what the seed would choose. Camera, light and floor depend on the family and the
    seed only, so a product and its twin share them.
    """
    shared = Random(f"{kind.family}-{seed}")
    scene = stage(shared, kind.span, (settings.width, settings.height), floor)
    fill = shared.uniform(0.6, 0.95)
    own = Random(f"{kind.name}-{seed}")
    chosen = own.choice(list(kind.variants))
    shown = variant or chosen
    kind.variants[shown](scene, own)
    loose = kind.family == "scales"
    fit(scene, kind.span, fill * (0.85 if loose else 1.0), whole=not loose)
    photo(scene, target, settings)
    if mask_target is not None:
        mask(scene, mask_target, settings)
    return shown
