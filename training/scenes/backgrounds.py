"""Photos as backgrounds: which photo a scene gets, and whether as its floor or as a wall behind it. No Blender here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

from training.photos.intake import read_photos
from training.photos.labels import plain_name
from training.photos.manifest import EXCLUSIONS, GROUPS, NONE, select

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
USES = ("floor", "wall")


class BackgroundError(ValueError):
    """A folder of backgrounds holds no usable photo."""


@dataclass(frozen=True)
class Background:
    """One photo in one scene.

    name: the photo as the manifest names it, its path below the folder of backgrounds. use: `floor` (printed on the
    table, cloth or floor) or `wall` (standing behind the things). turn: radians about the vertical, of a floor. width:
    width of the photo as a share of the view's. tilt: how far the camera looks down at a wall, degrees. glow: share of
    light the photo gives off by itself, 0..1.
    """

    photo: Path
    name: str
    use: str
    turn: float
    width: float
    tilt: float
    glow: float


def find_photos(folder: Path) -> list[Path]:
    """The photos that may be backgrounds, sorted by path.

    With a `manifest.csv` in `folder`, or a folder for each category, one called as a group or `none` among them: its
    photos with split `train` and group `listing`, less the shipped exclusions; otherwise every picture below it. Raises
    BackgroundError when there is none, ManifestError for a broken manifest.
    """
    tree = any(path.is_dir() and plain_name(path.name) in (*GROUPS, NONE) for path in folder.glob("*"))
    if tree or (folder / "manifest.csv").exists():
        listed = select(read_photos(folder, None, EXCLUSIONS), "train")
        found = [photo.path for photo in listed if photo.group == "listing" and photo.path.suffix.lower() in SUFFIXES]
    else:
        found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    if not found:
        raise BackgroundError(f"no background photos in {folder}")
    return sorted(found)


def choose(photos: list[Path], folder: Path, family: str, seed: int) -> Background | None:
    """The background of a family's scene with `seed`, the same for product and twin; None for every second one.

    photos: those of `folder` to choose from.
    """
    rng = Random(f"{family}-{seed}-background")
    if not photos or rng.random() < 0.5:
        return None
    photo = rng.choice(photos)
    return Background(
        photo,
        photo.relative_to(folder).as_posix(),
        rng.choice(USES),
        rng.uniform(0.0, 6.28),
        rng.uniform(1.0, 2.2),
        rng.uniform(8.0, 30.0),
        rng.uniform(0.2, 0.5),
    )
