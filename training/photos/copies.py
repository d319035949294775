"""Photos that are there twice: the same bytes, or nearly the same picture.

A copy on another side of the split makes a network look better than it is, and a copy with another label teaches it
nothing. Only photos of equally many bytes are read to find equal ones; near-identical ones have perceptual hashes
(:mod:`service.fingerprint`) that differ in a bit or two, mirrored or not.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from service.fingerprint import distances, fingerprint, mirrored
from service.imaging import decode
from service.runtime.cores import available_cores
from training.photos.manifest import ManifestError, Photo, named
from training.photos.readable import LIMITS, listed, refuse

_SIDE = 128
_NEAR = 2


def same_bytes(paths: Sequence[Path]) -> list[list[int]]:
    """Positions of files with the same bytes, those of each content together; files that are not there have none."""
    sizes: dict[int, list[int]] = defaultdict(list)
    for position, path in enumerate(paths):
        if path.is_file():
            sizes[path.stat().st_size].append(position)
    found: dict[bytes, list[int]] = defaultdict(list)
    for positions in sizes.values():
        for position in positions if len(positions) > 1 else ():
            found[hashlib.sha256(paths[position].read_bytes()).digest()].append(position)
    return [positions for positions in found.values() if len(positions) > 1]


def told(photos: Sequence[Photo]) -> list[str]:
    """A sentence on photos of the same bytes on two sides of the split, and one on those with different labels."""
    apart, unlike = [], []
    for positions in same_bytes([photo.path for photo in photos]):
        first, *others = (photos[position] for position in positions)
        apart += [(first, other) for other in others if other.split != first.split][:1]
        unlike += [(first, other) for other in others if set(other.labels) != set(first.labels)][:1]
    return [
        *_sentence(
            apart, "photos have the same bytes as one on another side of the split: what is measured looks too good"
        ),
        *_sentence(unlike, "photos have the same bytes as one with another label"),
    ]


def near(photos: Sequence[Photo]) -> list[str]:
    """A sentence on photos of val and test that look nearly like one of train, and one on those of test that cannot be
    read: once they are removed, others may change sides. Every photo is decoded, small.

    Raises :class:`ManifestError`, a line a photo, where photos of train or val cannot be read or decoded.
    """
    # here, because the rendered scenes ask for equal bytes only, and say without it that their extra is missing
    from tqdm import tqdm

    with ThreadPoolExecutor(available_cores()) as pool:
        values = list(tqdm(pool.map(_hash, photos), "comparing", total=len(photos), unit="photo", mininterval=2))
    faults = [(photo, value) for photo, value in zip(photos, values, strict=True) if isinstance(value, ManifestError)]
    refuse([fault for photo, fault in faults if photo.split != "test"])
    lost = [str(fault) for _, fault in faults]
    hashed = [(photo, value) for photo, value in zip(photos, values, strict=True) if isinstance(value, int)]
    trained = [pair for pair in hashed if pair[0].split == "train"]
    known = np.array([value for _, value in trained], dtype=np.uint64)
    alike = []
    for photo, value in hashed if trained else ():
        if photo.split != "train":
            far = np.minimum(distances(known, value), distances(known, mirrored(value)))
            if far.min() <= _NEAR:
                alike.append((photo, trained[int(far.argmin())][0]))
    return [*_unread(lost), *_sentence(alike, "photos of val or test look nearly like one of train")]


def _unread(faults: Sequence[str]) -> list[str]:
    advice = "mend or remove them before you train, since others may change sides then"
    return [f"{len(faults)} photos of test cannot be read, {advice}: {'; '.join(listed(faults))}"] if faults else []


def _hash(photo: Photo) -> int | ManifestError | None:
    try:
        with named(photo.path):
            return fingerprint(np.asarray(decode(photo.path.read_bytes(), LIMITS, _SIDE).rgb))
    except ManifestError as error:
        return error


def _sentence(pairs: Sequence[tuple[Photo, Photo]], what: str) -> list[str]:
    if not pairs:
        return []
    one, other = pairs[0]
    return [f"{len(pairs)} {what}: {one.file} ({one.split}) and {other.file} ({other.split}) for one"]
