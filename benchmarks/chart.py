"""Pictures and tables of what ``benchmarks.serving`` measured; needs matplotlib (extra ``training``).

Usage: ``python -m benchmarks.chart PICTURE.png FILE.csv...``. Files are slices of one kind of photo, each with the bare
loop and Faunalens measured beside its contenders: a bar is a median of ratios within rounds, never across slices.
"""

import argparse
import csv
import statistics
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from benchmarks.serving import BARE, OURS, Row, frugality, summary


def main() -> None:
    """Print a table a slice and kind of photo; draw the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    options = parser.parse_args()
    slices = [part for file in options.files for part in by_photo(read(file))]
    print("\n\n".join(summary(rows) for rows in slices))
    draw(slices, options.picture)


def read(file: Path) -> list[Row]:
    """The rows of one CSV file."""
    with file.open(newline="") as stream:
        return [Row(**{name: _typed(name, value) for name, value in row.items()}) for row in csv.DictReader(stream)]


def _typed(name: str, value: str) -> Any:
    if name in ("photo", "contender"):
        return value
    return int(value) if name in ("round", "concurrency", "failed") else float(value)


def by_photo(rows: list[Row]) -> list[list[Row]]:
    """The rows of each kind of photo."""
    return [[row for row in rows if row.photo == photo] for photo in dict.fromkeys(row.photo for row in rows)]


def ratios(rows: list[Row]) -> dict[str, list[float]]:
    """Processor time of the bare loop in the same round against the contender's, by contender."""
    bare = {row.round: row for row in rows if row.contender == BARE}
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.contender != BARE:
            found.setdefault(row.contender, []).append(frugality(row, bare[row.round]))
    return found


def draw(slices: list[list[Row]], picture: Path) -> None:
    """One bar a contender, with the range over rounds; Faunalens over all slices."""
    found: dict[str, list[float]] = {}
    for rows in slices:
        for name, values in ratios(rows).items():
            found.setdefault(name, []).extend(values)
    names = sorted(found, key=lambda name: statistics.median(found[name]))
    figure, axes = plt.subplots(figsize=(8, 0.38 * len(names) + 1.2))
    for place, name in enumerate(names):
        middle, low, high = statistics.median(found[name]), min(found[name]), max(found[name])
        colour = "#1b6ca8" if name == OURS else "#b0b7bf"
        axes.barh(place, middle, color=colour, xerr=[[middle - low], [high - middle]], ecolor="#444", capsize=2)
        axes.text(high + 0.015, place, f"{middle:.2f}", va="center", fontsize=9)
    axes.set_yticks(range(len(names)), names)
    axes.axvline(1.0, color="#444", linewidth=1, linestyle=":")
    axes.set_xlim(0, 1.1)
    axes.set_xlabel(f"processor time of the bare loop / of the contender, a photo ({slices[0][0].photo}); lines: range")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main()
