"""Other people's photos as :class:`~training.photos.manifest.Photo` rows: a folder tree, a CSV, Label Studio or COCO.

None of them says which photos show one object or which are for testing. Photos in one sub-folder of a category, or with
one ``instance``, count as one object; objects are dealt to the splits, 70 : 15 : 15 within each label, by a hash of
their name, so that the same photos always get the same split. Photos of the same bytes are one object too.
"""

import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from service.imaging import ENDINGS
from service.instances import joined
from training.photos.copies import same_bytes
from training.photos.manifest import (
    GROUPS,
    NONE,
    ManifestError,
    Photo,
    check,
    check_row,
    read_exclusions,
    read_manifest,
    read_table,
)  # fmt: skip
from training.photos.readable import check_there

_LABELS = ("choices", "rectanglelabels", "ellipselabels", "polygonlabels", "keypointlabels", "brushlabels", "labels",
           "taxonomy")  # fmt: skip
_DEAL = ("train", "val", "test", *("train",) * 6, "val", "test", *("train",) * 6, "val", "test", "train")


@dataclass(slots=True)
class _Found:
    """A photo as its collection describes it; an empty split is dealt later."""

    file: str
    labels: list[str] = field(default_factory=list)
    group: str = ""
    instance: str = ""
    split: str = ""
    kind: str = ""
    source: str = ""


def read_photos(root: Path, labels: Path | None = None, exclusions: Path | None = None) -> list[Photo]:
    """The photos of the folder ``root``, less those listed in ``exclusions``.

    Without ``labels``: by ``root/manifest.csv`` where there is one, else a tree with a folder for each category (and
    for ``listing``, ``lookalike``, ``live_animal``). ``labels``: a CSV with the columns file and label, a JSON export
    of Label Studio, or COCO JSON. Raises :class:`ManifestError` with the reason when it cannot be used.
    """
    if labels is None and (root / "manifest.csv").is_file():
        return read_manifest(root, exclusions)
    # only labels that somebody wrote have Windows' slashes: a file may have one in its name
    found = _tree(root) if labels is None else [replace(r, file=r.file.replace("\\", "/")) for r in _labelled(labels)]
    if not found:
        raise ManifestError(f"no photos in {labels or root}")
    photos = [_photo(root, row) for row in _deal(_together(root, [_described(row) for row in found]))]
    check(photos)
    check_there([photo.path for photo in photos], labels or root)
    left_out = read_exclusions(exclusions) if exclusions else {}
    return [photo for photo in photos if photo.file not in left_out]


def _tree(root: Path) -> list[_Found]:
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
        found.append(_Found(str(name), [parts[0]], instance=instance))
    _tell(others, "not a picture in a category's folder")
    _tell(linked, "a link to a folder, or to nothing")
    return found


def _tell(files: Sequence[str], why: str) -> None:
    """Say on standard error which files of the collection are left out."""
    if files:
        print(f"left out, {why}: {len(files)}, {files[0]} for one", file=sys.stderr)


def _labelled(path: Path) -> list[_Found]:
    if path.suffix.lower() == ".csv":
        return _csv(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ManifestError(f"{path} cannot be read as JSON (the name of a table must end in .csv): {error}") from error
    try:
        if isinstance(content, dict) and {"images", "annotations", "categories"} <= set(content):
            return _coco(content)
        if isinstance(content, list):
            return _label_studio(content)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = error if isinstance(error, ManifestError) else repr(error)
        raise ManifestError(f"{path} is not the JSON that it looks like: {reason}") from error
    raise ManifestError(f"{path} is neither a Label Studio export nor COCO")


def _csv(path: Path) -> list[_Found]:
    optional = ("group", "instance", "split", "kind", "source")
    return [
        _Found(row["file"], row["label"].split("|"), **{key: row.get(key, "") for key in optional})
        for row in read_table(path, ("file", "label"))
    ]


def _label_studio(tasks: list[dict[str, Any]]) -> list[_Found]:
    """The images of the annotated tasks; JSON-MIN has a row for each annotation of an image."""
    found: dict[str, _Found] = {}
    skipped = []
    for task in tasks:
        row = _annotated(task)
        if all(annotation.get("was_cancelled") for annotation in task.get("annotations", [{}])):
            skipped.append(row.file)
        elif (first := found.setdefault(row.file, row)) is not row:
            first.labels += row.labels
    _tell(skipped, "not annotated")
    return list(found.values())


def _annotated(task: dict[str, Any]) -> _Found:
    """One task of a JSON or JSON-MIN export: its image, and every choice or box label given by its annotators."""
    data = task.get("data", task)
    if "image" not in data:
        raise ManifestError(f"a task's photo must be called image, one has {', '.join(map(str, data))}")
    names = []
    for annotation in task.get("annotations", []):
        for result in annotation.get("result", []) if not annotation.get("was_cancelled") else []:
            for key in _LABELS:
                # relations between regions are results without a value
                names += result.get("value", {}).get(key, [])
    for key in ("choice", "label", "taxonomy"):
        value = task.get(key, [])
        entries = value if isinstance(value, list) else value.get("choices", []) if isinstance(value, dict) else [value]
        for entry in entries:
            names += [name for key in _LABELS for name in entry.get(key, [])] if isinstance(entry, dict) else [entry]
    labels = [label for name in names for label in _path(name)]
    return _Found(_local(str(data["image"])), labels, instance=str(data.get("instance") or ""))


def _path(name: Any) -> list[str]:
    """What a choice says of a photo: of one within others all of them, but of one within a group the group alone."""
    names = [str(part) for part in name] if isinstance(name, list) else [str(name)]
    return next(([part] for part in names if plain_name(part) in (*GROUPS, NONE)), names)


def plain_name(name: str) -> str:
    """A label as categories and groups are written."""
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _local(address: str) -> str:
    """File name relative to the photo folder of a Label Studio address: its upload or local-files path."""
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d")
    path = local[0] if local else unquote(parts.path)
    return path.removeprefix("/data/upload/").removeprefix("/data/").lstrip("/")


def _coco(content: dict[str, Any]) -> list[_Found]:
    names = {row["id"]: str(row["name"]) for row in content["categories"]}
    shown: dict[Any, list[str]] = defaultdict(list)
    for annotation in content["annotations"]:
        shown[annotation["image_id"]].append(names[annotation["category_id"]])
    return [_Found(str(row["file_name"]), shown[row["id"]]) for row in content["images"]]


def _together(root: Path, rows: list[_Found]) -> list[_Found]:
    """Photos of the same bytes as one instance, unless the labels say that they are on two sides of the split."""
    names = joined({rows[place].instance for place in places} for places in same_bytes([root / r.file for r in rows]))
    sides: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        sides[names.get(row.instance, row.instance)].update({row.split} - {""})
    whole = {name: above for name, above in names.items() if len(sides[above]) < 2}
    return [replace(row, instance=whole.get(row.instance, row.instance)) for row in rows]


def _deal(rows: list[_Found]) -> list[_Found]:
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


def _described(row: _Found) -> _Found:
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


def _photo(root: Path, row: _Found) -> Photo:
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
