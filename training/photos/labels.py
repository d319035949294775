"""Labels that others wrote, as photos with labels: a CSV, Label Studio's JSON or COCO."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from training.photos.manifest import GROUPS, NONE, ManifestError, read_table

_LABELS = ("choices", "rectanglelabels", "ellipselabels", "polygonlabels", "keypointlabels", "brushlabels", "labels",
           "taxonomy")  # fmt: skip


@dataclass(slots=True)
class Found:
    """A photo as its collection describes it; an empty split is dealt later."""

    file: str
    labels: list[str] = field(default_factory=list)
    group: str = ""
    instance: str = ""
    split: str = ""
    kind: str = ""
    source: str = ""


def labelled(path: Path) -> list[Found]:
    """The photos that a CSV, a JSON export of Label Studio, or COCO JSON names.

    Raises :class:`ManifestError` with the reason when it cannot be used.
    """
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
        reasons = {ManifestError: str(error), KeyError: f"{error} is missing"}
        reason = reasons.get(type(error), repr(error))
        raise ManifestError(f"{path} is not the JSON that it looks like: {reason}") from error
    raise ManifestError(f"{path} is neither a Label Studio export nor COCO")


def _csv(path: Path) -> list[Found]:
    optional = ("group", "instance", "split", "kind", "source")
    return [
        Found(row["file"], row["label"].split("|"), **{key: row.get(key, "") for key in optional})
        for row in read_table(path, ("file", "label"))
    ]


def _label_studio(tasks: list[dict[str, Any]]) -> list[Found]:
    """The images of the annotated tasks; JSON-MIN has a row for each annotation of an image."""
    found: dict[str, Found] = {}
    skipped = []
    for task in tasks:
        row = _annotated(task)
        if all(annotation.get("was_cancelled") for annotation in task.get("annotations", [{}])):
            skipped.append(row.file)
        elif (first := found.setdefault(row.file, row)) is not row:
            first.labels += row.labels
    tell(skipped, "not annotated")
    return list(found.values())


def _annotated(task: dict[str, Any]) -> Found:
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
    return Found(_local(str(data["image"])), labels, instance=str(data.get("instance") or ""))


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


def _coco(content: dict[str, Any]) -> list[Found]:
    names = {number: str(row["name"]) for number, row in _by_id(content, "categories").items()}
    found = {number: Found(str(row["file_name"])) for number, row in _by_id(content, "images").items()}
    lost = []
    for annotation in content["annotations"]:
        image, category = annotation["image_id"], annotation["category_id"]
        if category not in names:
            raise ManifestError(f"a box has the category_id {category!r}, which is no id of the categories")
        if image in found:
            found[image].labels.append(names[category])
        else:
            lost.append(f"image_id {image!r}")
    tell(lost, "boxes whose image_id is no id of the images")
    return list(found.values())


def _by_id(content: dict[str, Any], part: str) -> dict[Any, dict[str, Any]]:
    """The rows of a ``part`` of COCO by their ids; two of one id, as in exports put together, cannot be told apart."""
    rows: dict[Any, dict[str, Any]] = {}
    for row in content[part]:
        if row["id"] in rows:
            raise ManifestError(f"two {part} have the id {row['id']!r}: number them anew")
        rows[row["id"]] = row
    return rows


def tell(files: Sequence[str], why: str) -> None:
    """Say on standard error which files of the collection are left out."""
    if files:
        print(f"left out, {why}: {len(files)}, {files[0]} for one", file=sys.stderr)
