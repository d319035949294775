"""Other people's photos as :class:`~training.photos.manifest.Photo` rows: a folder tree, a CSV, Label Studio or COCO.

None of them says which photos show one object or which are for testing. Photos in one sub-folder of a category, or with
one ``instance``, count as one object; objects are dealt to the splits, 70 : 15 : 15 within each label, by a hash of
their name, so that the same photos always get the same split. Photos of the same bytes are one object too.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from service.imaging import ENDINGS
from service.instances import joined
from training.photos.copies import same_bytes
from training.photos.labels import Found, labelled, plain_name, tell
from training.photos.manifest import (
    GROUPS,
    NONE,
    ManifestError,
    Photo,
    check,
    check_row,
    read_exclusions,
    read_manifest,
)  # fmt: skip
from training.photos.readable import check_there

_DEAL = ("train", "val", "test", *("train",) * 6, "val", "test", *("train",) * 6, "val", "test", "train")
_SIDES = {"train", "training", "val", "valid", "validation", "test", "testing"}


def read_photos(root: Path, labels: Path | None = None, exclusions: Path | None = None) -> list[Photo]:
    """The photos of the folder ``root``, less those listed in ``exclusions``.

    Without ``labels``: by ``root/manifest.csv`` where there is one, else a tree with a folder for each category (and
    for ``listing``, ``lookalike``, ``live_animal``). ``labels``: a CSV with the columns file and label, a JSON export
    of Label Studio, or COCO JSON. Raises :class:`ManifestError` with the reason when it cannot be used.
    """
    if labels is None and (root / "manifest.csv").is_file():
        return read_manifest(root, exclusions)
    # only labels that somebody wrote have Windows' slashes: a file may have one in its name
    found = _tree(root) if labels is None else [replace(r, file=r.file.replace("\\", "/")) for r in labelled(labels)]
    if not found:
        raise ManifestError(f"no photos in {labels or root}")
    photos = [_photo(root, row) for row in _deal(_together(root, [_described(row) for row in found]))]
    check(photos)
    check_there([photo.path for photo in photos], labels or root, root)
    left_out = read_exclusions(exclusions) if exclusions else {}
    return [photo for photo in photos if photo.file not in left_out]


def _tree(root: Path) -> list[Found]:
    if not root.is_dir():
        raise ManifestError(f"no folder at {root}")
    found, others, linked = [], [], []
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if any(part.startswith(".") for part in parts):
            continue
        if not path.is_file():
            linked += [str(PurePosixPath(*parts))] if path.is_symlink() else []
            continue
        name = PurePosixPath(*parts)
        if len(parts) < 2 or path.suffix.lower() not in ENDINGS:
            others.append(str(name))
            continue
        instance = str(name.parent) if len(parts) > 2 else ""
        found.append(Found(str(name), [parts[0]], instance=instance))
    tell(others, "not a picture in a category's folder")
    tell(linked, "a link to a folder, or to nothing")
    if sides := sorted({row.labels[0] for row in found if plain_name(row.labels[0]) in _SIDES}):
        raise ManifestError(
            f"{', '.join(sides)} in {root} are sides of a split, not categories: put the categories' folders there, or "
            "name photos and sides in a CSV (--labels, column split)"
        )
    return found


def _together(root: Path, rows: list[Found]) -> list[Found]:
    """Photos of the same bytes as one instance, unless the labels say that they are on two sides of the split."""
    names = joined({rows[place].instance for place in places} for places in same_bytes([root / r.file for r in rows]))
    sides: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        sides[names.get(row.instance, row.instance)].update({row.split} - {""})
    whole = {name: above for name, above in names.items() if len(sides[above]) < 2}
    return [replace(row, instance=whole.get(row.instance, row.instance)) for row in rows]


def _deal(rows: list[Found]) -> list[Found]:
    """Give every photo a split."""
    fixed = {row.instance: row.split for row in rows if row.split}
    by_label: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.instance not in fixed:
            by_label[row.labels[0] if row.labels else row.group].add(row.instance)
    for instances in by_label.values():
        for place, instance in enumerate(sorted(instances, key=_hash)):
            fixed.setdefault(instance, _DEAL[place % len(_DEAL)])
    return [replace(row, split=row.split or fixed[row.instance]) for row in rows]


def _described(row: Found) -> Found:
    names = [plain_name(name) for name in row.labels]
    labels = [name for name in dict.fromkeys(names) if name and name != NONE and name not in GROUPS]
    named_group = next((name for name in names if name in GROUPS), "listing")
    group = row.group or ("product" if labels else named_group)
    check_row(row.file, row.split or "train", group, labels)
    return replace(
        row, labels=labels, group=group, instance=row.instance or row.file, kind=row.kind or "|".join(labels)
    )


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()


def _photo(root: Path, row: Found) -> Photo:
    return Photo(root / row.file, row.file, row.split, tuple(row.labels), row.group, row.kind or row.group,
                 row.instance, row.source)  # fmt: skip


def summary(photos: Sequence[Photo]) -> str:
    """One line: photos by split and by label or group."""
    counts: dict[str, int] = defaultdict(int)
    for photo in photos:
        counts[photo.split] += 1
        for name in photo.labels or (photo.group,):
            counts[name] += 1
    return f"{len(photos)} photos: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
