"""The manifest of rendered pictures: one row for each that has its mask, kept on disk after every picture."""

from __future__ import annotations

import csv
from pathlib import Path

from training.photos import manifest
from training.scenes.backgrounds import Background
from training.scenes.kind import Kind
from training.scenes.kinds import KINDS

COLUMNS = [*manifest.COLUMNS, "licence", "background"]


def names(kind: str, seed: int) -> tuple[str, str]:
    """File name of the picture and, below the same folder, of its mask."""
    return f"{kind}-{seed}.jpg", f"masks/{kind}-{seed}.png"


def finished(out: Path, kind: str, seed: int) -> bool:
    """Whether `out` holds the picture and its mask."""
    return all((out / name).exists() for name in names(kind, seed))


def row(kind: Kind, seed: int, background: Background | None = None) -> dict[str, str]:
    """The manifest's line for one picture; a photo in its background is named, and its licence left to its owner."""
    photo = background.name if background else ""
    return {
        "file": names(kind.name, seed)[0],
        "split": "train",
        "label": kind.label,
        "group": kind.group,
        "kind": kind.name,
        "instance": f"scene-{kind.family}-{seed}",
        "source": "faunalens/scenes",
        "licence": "Apache-2.0, background as its photo" if photo else "Apache-2.0",
        "background": photo,
    }


class Record:
    """The manifest of one folder. Only one process may hold it."""

    def __init__(self, out: Path) -> None:
        """Start from the manifest in `out`, if any, and from finished pictures that it does not list (`unlisted`)."""
        self.out, self.rows = out, self._found(out)
        self.unlisted = set(self.rows)
        for line in self._listed(out):
            self.unlisted.discard(line["file"])
            if line["file"] in self.rows:
                self.rows[line["file"]] = {column: line.get(column) or "" for column in COLUMNS}

    @staticmethod
    def _found(out: Path) -> dict[str, dict[str, str]]:
        """Rows of the finished pictures in `out`, by file name."""
        rows = {}
        for path in out.glob("*.jpg"):
            name, _, number = path.stem.partition("-")
            if name in KINDS and number.lstrip("-").isdigit() and finished(out, name, int(number)):
                rows[path.name] = row(KINDS[name], int(number))
        return rows

    @staticmethod
    def _listed(out: Path) -> list[dict[str, str]]:
        """Rows of the manifest that an earlier run left."""
        path = out / "manifest.csv"
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    def add(self, kind: Kind, seed: int, background: Background | None = None) -> None:
        """List one more finished picture and save."""
        line = row(kind, seed, background)
        self.rows[line["file"]] = line
        self.save()

    def add_unlisted(self, kind: Kind, seed: int, background: Background | None) -> None:
        """List a picture that a run finished and was killed before it listed it: the folder does not tell its photo."""
        line = row(kind, seed, background)
        if line["file"] in self.unlisted:
            self.rows[line["file"]] = line

    def save(self) -> None:
        """Write the manifest beside its place, then move it there."""
        part = self.out / "part-manifest.csv"
        with part.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(sorted(self.rows.values(), key=lambda line: (line["instance"], line["kind"])))
        part.replace(self.out / "manifest.csv")
