"""Cut-and-paste training pictures: objects of the training split on listing photos of the training split.

Products and neutral objects are pasted with equal odds, so that neither the paste nor its ground tells a product.
"""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from service.drafts import drafted
from training.photos.dataset import read_rgb
from training.photos.manifest import COLUMNS, Photo, select
from training.photos.readable import LIMITS, check_readable
from training.synthesis.cutouts import crop_to, paste, silhouette

SOURCE = "faunalens/composites"
_QUALITY = 88


@dataclass(frozen=True, slots=True)
class Composite:
    """One picture to make: ``thing`` on ``ground``, its box covering ``share`` (0..1) of the area."""

    file: str
    thing: Photo
    ground: Photo
    share: float
    seed: int


def plan(
    photos: Sequence[Photo], cuttable: Sequence[Photo], count: int, shares: tuple[float, float], seed: int
) -> list[Composite]:
    """``count`` composites, every other one with a product; shares are drawn evenly on a logarithmic scale.

    ``photos``: gives the grounds, listing photos of its training split. ``cuttable``: photos that can be cut out.
    Categories take turns, so that a rare one comes as often as a common one. Raises ValueError when there is nothing
    to paste or to paste on.
    """
    rng = np.random.default_rng(seed)
    grounds = [photo for photo in select(photos, "train") if photo.group == "listing"]
    products = _turns([photo for photo in cuttable if photo.labels], rng)
    others = _turns([photo for photo in cuttable if not photo.labels], rng)
    if not grounds or not products or not others:
        raise ValueError("composites need listing photos, and products and other objects on plain backgrounds")
    made = []
    for number in range(count):
        pool = products if number % 2 == 0 else others
        thing, ground = pool[number // 2 % len(pool)], grounds[int(rng.integers(len(grounds)))]
        share, own = float(np.exp(rng.uniform(*np.log(shares)))), int(rng.integers(2**31))
        made.append(Composite(_name(seed, number, thing, ground, share, own), thing, ground, share, own))
    return made


def _name(seed: int, number: int, thing: Photo, ground: Photo, share: float, own: int) -> str:
    """A name of what is shown: a picture that is kept must not be listed as that of other photos or shares."""
    shown = hashlib.sha256(repr((thing.file, ground.file, share, own)).encode()).hexdigest()[:8]
    return f"composite-{seed}-{number:05}-{shown}.jpg"


def _turns(photos: Sequence[Photo], rng: np.random.Generator) -> list[Photo]:
    """The photos in an order in which the square root of its size decides how often a category (or group) comes."""
    cells: dict[str, list[Photo]] = {}
    for photo in photos:
        cells.setdefault(photo.labels[0] if photo.labels else photo.group, []).append(photo)
    chosen: list[Photo] = []
    for cell in cells.values():
        wanted = max(1, round((len(cell) * max(map(len, cells.values()))) ** 0.5))
        chosen += [cell[int(i)] for _ in range(-(-wanted // len(cell))) for i in rng.permutation(len(cell))][:wanted]
    return [chosen[int(i)] for i in rng.permutation(len(chosen))]


def mask_of(photo: Photo) -> Path:
    """Where a rendered picture keeps the mask of its subject."""
    return photo.path.parent / "masks" / f"{photo.path.stem}.png"


def cut(photo: Photo) -> Image.Image | None:
    """The object of ``photo`` as RGBA, cropped to it; None where it is not known, or fills the picture."""
    picture = read_rgb(photo)
    opacity = object_of(photo, picture)
    return None if opacity is None else crop_to(picture, opacity)


def object_of(photo: Photo, picture: Image.Image) -> NDArray[np.float32] | None:
    """Opacity of the object of ``photo`` in ``picture``, its RGB, float32 ``[H, W]`` in 0..1.

    By its mask where it was rendered with one, else by its plain background; None where it has neither.
    """
    mask = mask_of(photo)
    if not mask.is_file():
        return silhouette(picture)
    with Image.open(mask) as stored:
        return np.asarray(stored.convert("L").resize(picture.size), np.float32) / np.float32(255)


def write(photos: Sequence[Photo], out: Path, count: int, shares: tuple[float, float], seed: int, jobs: int) -> int:
    """Make composites from the training split of ``photos`` in ``out``, with ``manifest.csv``; returns their number.

    Pictures already there are kept; those of other photos or options are not listed any more. Raises ValueError, see
    :func:`plan`, and :class:`~training.photos.manifest.ManifestError` where photos cannot be read.
    """
    train = select(photos, "train")
    check_readable([photo.path for photo in train], LIMITS)
    out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(jobs) as pool:
        found = list(tqdm(pool.map(_cuttable, train, chunksize=16), "cutting out", total=len(train), unit="photo"))
        cuttable = [photo for photo, usable in zip(train, found, strict=True) if usable]
        plans = plan(train, cuttable, count, shares, seed)
        todo = [item for item in plans if not (out / item.file).is_file()]
        list(tqdm(pool.map(_make, todo, [out] * len(todo), chunksize=8), "pasting", total=len(todo), unit="picture"))
    with drafted(out / "manifest.csv") as draft:
        with draft.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows([[*COLUMNS, "background"], *_rows(plans)])
        draft.replace(out / "manifest.csv")
    return len(plans)


def _rows(plans: Sequence[Composite]) -> Iterator[tuple[str, ...]]:
    for item in plans:
        label, thing = "|".join(item.thing.labels) or "none", item.thing
        yield item.file, "train", label, thing.group, thing.kind, thing.instance, SOURCE, item.ground.file


def _cuttable(photo: Photo) -> bool:
    return cut(photo) is not None


def _make(item: Composite, out: Path) -> None:
    thing = cut(item.thing)
    assert thing is not None
    made = paste(read_rgb(item.ground), thing, item.share, np.random.default_rng(item.seed))
    with drafted(out / item.file) as draft:
        made.save(draft, "JPEG", quality=_QUALITY)
        draft.replace(out / item.file)
