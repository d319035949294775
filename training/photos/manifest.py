"""The manifest: one row per photo with split, label, group, kind, instance and source."""

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from service.errors import FaunalensError
from training.recipe import Recipe

SPLITS = ("train", "val", "test")
GROUPS = ("product", "listing", "lookalike", "live_animal")
NONE = "none"
COLUMNS = ("file", "split", "label", "group", "kind", "instance", "source")
EXCLUSIONS = Path(__file__).parents[1] / "exclusions.csv"
"""The shipped list of photos whose label is wrong."""
_NAMED = 20


class ManifestError(ValueError):
    """The manifest is not usable; the message names the row and the reason."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One row. ``labels``: the categories shown, joined by ``|`` in the file's column ``label``; empty means none.

    ``background``: the photo that a picture was made on, by the end of its ``file`` at least; empty: none.
    """

    path: Path
    file: str
    split: str
    labels: tuple[str, ...]
    group: str
    kind: str
    instance: str
    source: str
    background: str = ""


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Raise :class:`ManifestError` with the photo's ``path`` where it cannot be read or decoded."""
    try:
        yield
    except (FaunalensError, OSError) as error:
        raise ManifestError(f"{path} cannot be used: {error}") from error


def read_manifest(root: Path, exclusions: Path | None = None) -> list[Photo]:
    """Read ``root/manifest.csv`` less the files listed in ``exclusions`` (CSV with columns file, why).

    Raises :class:`ManifestError` for a missing file or column, an unknown split or group, a photo listed twice, or an
    ``instance`` on two sides of a split.
    """
    path = root / "manifest.csv"
    if not path.is_file():
        raise ManifestError(f"no manifest at {path}")
    photos = [_photo(root, row, f"{path}, row {number}") for number, row in enumerate(read_table(path, COLUMNS), 2)]
    check(photos)
    left_out = read_exclusions(exclusions) if exclusions else {}
    return [photo for photo in photos if photo.file not in left_out]


def read_table(path: Path, needed: Collection[str]) -> list[dict[str, str]]:
    """The rows of a CSV with a column ``file`` and the others ``needed``; cells that are not there are empty.

    Raises :class:`ManifestError` for a missing column, a row without a file, or one with more cells than columns.
    """
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), restval="")
        columns = list(reader.fieldnames or ())
        rows = list(reader)
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path} is not UTF-8, save it as that: {error}") from error
    except csv.Error as error:
        raise ManifestError(f"{path} cannot be read: {error}") from error
    if missing := set(needed) - set(columns):
        raise ManifestError(f"{path} lacks the columns {sorted(missing)}: separated by commas, it has {columns}")
    for number, row in enumerate(rows, 2):
        # DictReader keeps what has no column under None
        if more := list(filter(None, row.pop(None, ()))):
            raise ManifestError(
                f"{path}, row {number}: {more[0]!r} is in no column; what has a comma in it must stand in quotes"
            )
        if not row["file"]:
            raise ManifestError(f"{path}, row {number}: the column file is empty")
        row["file"] = str(PurePosixPath(row["file"]))
    return rows


def read_exclusions(path: Path) -> dict[str, str]:
    """File name to reason, for photos whose label is wrong."""
    with path.open(newline="", encoding="utf-8") as stream:
        return {row["file"]: row["why"] for row in csv.DictReader(stream)}


def select(photos: Iterable[Photo], split: str, left_out: Collection[str] = ()) -> list[Photo]:
    """The photos of one split, in manifest order, but none of the sources ``left_out``."""
    return [photo for photo in photos if photo.split == split and photo.source not in left_out]


def ends(file: str) -> list[str]:
    """``file``, and what is left of it below each of its folders: what it may be called as a background."""
    parts = PurePosixPath(file).parts
    return ["/".join(parts[start:]) for start in range(len(parts))]


def apply_recipe(photos: Iterable[Photo], recipe: Recipe) -> list[Photo]:
    """Merge categories as the recipe says and drop labels it does not know. Photos left without label are dropped."""
    kept = []
    for photo in photos:
        labels = tuple(dict.fromkeys(recipe.merge.get(label, label) for label in photo.labels))
        known = tuple(label for label in labels if label in recipe.categories)
        if known == photo.labels:
            kept.append(photo)
        elif known:
            kept.append(replace(photo, labels=known))
    return kept


def lacking(photos: Sequence[Photo]) -> str | None:
    """What the photos lack to train on; None: nothing."""
    for name, there in (
        ("products in train", any(p.split == "train" and p.labels for p in photos)),
        ("photos without a product in train", any(p.split == "train" and not p.labels for p in photos)),
        ("photos in val", any(p.split == "val" for p in photos)),
    ):
        if not there:
            return f"there are no {name}: give more photos, or these as --extra beside others"
    return None


def check_sources(photos: Iterable[Photo], sources: Iterable[str]) -> None:
    """Raise :class:`ManifestError` where no photo is from one of ``sources``."""
    known = {photo.source for photo in photos}
    if lost := sorted(set(sources) - known):
        there = sorted(known - {""})
        more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
        raise ManifestError(f"no photo is of source {lost[0]!r}; there are {', '.join(there[:_NAMED]) or 'none'}{more}")


def unknown_labels(photos: Iterable[Photo], recipe: Recipe) -> list[str]:
    """Labels that the recipe neither knows nor merges, in alphabetical order."""
    return sorted({label for photo in photos for label in photo.labels} - set(recipe.categories) - set(recipe.merge))


def label_counts(photos: Sequence[Photo]) -> dict[str, int]:
    """Photos per category, and per group of negatives."""
    counts: Counter[str] = Counter()
    for photo in photos:
        counts.update(photo.labels or (photo.group,))
    return dict(sorted(counts.items()))


def _photo(root: Path, row: dict[str, str], where: str) -> Photo:
    labels = tuple(label for label in row["label"].split("|") if label and label != NONE)
    check_row(where, row["split"], row["group"], labels)
    file = row["file"]
    if "\\" in file and not (root / file).exists():
        # written on Windows
        file = file.replace("\\", "/")
    return Photo(root / file, file, row["split"], labels, row["group"], row["kind"],
                 row["instance"] or file, row["source"], row.get("background", ""))  # fmt: skip


def check_row(where: str, split: str, group: str, labels: Collection[str]) -> None:
    """Raise :class:`ManifestError`, which begins with ``where``, for values that no photo can have."""
    for column, value, values in (("split", split, SPLITS), ("group", group, GROUPS)):
        if value not in values:
            raise ManifestError(f"{where}: {column} {value!r} is none of {', '.join(values)}")
    if bool(labels) != (group == "product"):
        shown = "|".join(labels) or NONE
        raise ManifestError(f"{where}: group {group!r} does not fit label {shown!r}; only products have one")


def check(photos: Sequence[Photo]) -> None:
    """Raise :class:`ManifestError` for a photo listed twice, or an instance on two sides of a split."""
    sides: dict[str, Photo] = {}
    files: set[str] = set()
    for photo in photos:
        if photo.file in files:
            raise ManifestError(f"{photo.file} is listed twice")
        files.add(photo.file)
        if (first := sides.setdefault(photo.instance, photo)).split != photo.split:
            both = f"{first.file} ({first.split}) and {photo.file} ({photo.split})"
            raise ManifestError(f"instance {photo.instance} is on two sides of a split: {both}")
