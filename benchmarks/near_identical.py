"""How many copies of a photo are recognised as near-identical, and how often other objects are taken for copies.

``python -m benchmarks.near_identical``; photos of train and val in ``FAUNALENS_DATA``, drawn by a seed.
"""

import argparse
import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from service.fingerprint import NEAR, distance, distances, fingerprints, mirrored

DATA = Path(os.environ.get("FAUNALENS_DATA", "../shared/data"))
SEED, PHOTOS, COPIED, SIDE, LONGEST = 7, 2500, 160, 288, 600
COLOURS = ((255, 255, 255), (0, 0, 0), (200, 30, 30))
Hashes = tuple[int, ...]


def hashes(picture: Image.Image) -> Hashes:
    """As the service makes them."""
    return fingerprints(np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)))


def copies(picture: Image.Image, random: np.random.Generator) -> Iterator[tuple[str, Image.Image]]:
    """What is done to photos that are posted again."""
    width, height = picture.size
    place, colour = random.random(2), COLOURS[int(random.integers(3))]
    yield "the same", picture
    yield "JPEG quality 30", _again(picture, 30)
    yield "40 % of the size", _again(picture.resize((max(16, width * 2 // 5), max(16, height * 2 // 5))))
    yield "5 % of width and height cut off, anywhere", _again(_cropped(picture, 0.05, place))
    yield "10 % cut off, anywhere", _again(_cropped(picture, 0.10, place))
    yield "10 % cut off, evenly", _again(_cropped(picture, 0.10, np.array([0.5, 0.5])))
    yield "a plain frame of 4 %", _again(ImageOps.expand(picture, int(max(picture.size) * 0.04), colour))
    yield "a plain frame of 10 %", _again(ImageOps.expand(picture, int(max(picture.size) * 0.10), colour))
    yield "mirrored", _again(ImageOps.mirror(picture))
    written = picture.copy()
    pen = ImageDraw.Draw(written)
    pen.rectangle((0, int(height * 0.86), width, height), fill=(255, 255, 255))
    pen.text((width * 0.05, height * 0.87), "SOLD 0000", fill=(200, 0, 0), font_size=max(8, int(height * 0.1)))
    yield "a strip with text over the lowest 14 %", _again(written)


def _again(picture: Image.Image, quality: int = 85) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def _cropped(picture: Image.Image, share: float, place: NDArray[np.float64]) -> Image.Image:
    width, height = picture.size
    less, lower = int(width * share), int(height * share)
    left, top = int(less * place[0]), int(lower * place[1])
    return picture.crop((left, top, left + width - less, top + height - lower))


def near(one: Hashes, other: Hashes) -> bool:
    """Whether the service would call them near-identical."""
    turned = (*one, *map(mirrored, one))
    return any(distance(mine, theirs) <= NEAR for mine in turned for theirs in other)


def false_matches(known: list[Hashes], instances: list[str]) -> tuple[int, int]:
    """Pairs of different objects that are near, and all such pairs."""
    parts = max(map(len, known))
    table = np.array([(*one, *[one[0]] * (parts - len(one))) for one in known], dtype=np.uint64)
    names, false, pairs = np.array(instances), 0, 0
    for number, one in enumerate(known):
        others = names[number + 1 :] != names[number]
        matched = np.zeros(len(others), dtype=bool)
        for mine in (*one, *map(mirrored, one)):
            matched |= (distances(table[number + 1 :], mine) <= NEAR).any(axis=1)
        false, pairs = false + int((matched & others).sum()), pairs + int(others.sum())
    return false, pairs


def main() -> None:
    """Print the table, for the hash of the whole alone and for all."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with (DATA / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] in ("train", "val")]
    known, instances, found, copied = list[Hashes](), list[str](), dict[str, list[int]](), 0
    for number in np.random.default_rng(SEED).permutation(len(rows))[:PHOTOS].tolist():
        picture = Image.open(DATA / rows[number]["file"]).convert("RGB")
        picture.thumbnail((LONGEST, LONGEST))
        own = hashes(picture)
        if not own:
            continue
        if copied < COPIED:
            copied += 1
            for name, copy in copies(picture, np.random.default_rng(number)):
                counts, theirs = found.setdefault(name, [0, 0]), hashes(copy)
                counts[0] += near(own[:1], theirs[:1])
                counts[1] += near(own, theirs)
        known.append(own)
        instances.append(rows[number]["instance"])
    print(f"| {copied} photos | one hash | all |\n|---|---|---|")
    for name, (one, every) in found.items():
        print(f"| {name} | {one / copied:.1%} | {every / copied:.1%} |")
    for name, sets in (("one hash", [one[:1] for one in known]), ("all", known)):
        false, pairs = false_matches(sets, instances)
        print(f"{name}: {false} of {pairs} pairs of different objects in {len(known)} photos are near")


if __name__ == "__main__":
    main()
