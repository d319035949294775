"""Command line: `python -m training.scenes OUT --count N --seed S --size 320 --samples 24 --threads 1`."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

from training.scenes.blender import module
from training.scenes.kinds import KINDS, Kind
from training.scenes.render import Settings

COLUMNS = ["file", "split", "label", "group", "kind", "instance", "source", "licence"]


def _arguments(words: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.scenes", description="Render labelled scenes of products and look-alikes."
    )
    parser.add_argument("out", type=Path, help="folder for the pictures, their masks and manifest.csv")
    parser.add_argument(
        "--count", type=int, default=8, help="number of pictures; eight kinds take turns, one seed per round"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the first round")
    parser.add_argument(
        "--size", type=int, default=320, help="width and height in pixels (samples sheet: width, at 4:3)"
    )
    parser.add_argument("--samples", type=int, default=24, help="Cycles samples per pixel")
    parser.add_argument("--threads", type=int, default=1, help="processor threads per render")
    parser.add_argument("--sheet", action="store_true", help="make the fixed sample pictures of docs/samples instead")
    return parser.parse_args(words)


def _row(kind: Kind, seed: int) -> dict[str, str]:
    """The manifest's line for one picture."""
    return {
        "file": f"{kind.name}-{seed}.jpg",
        "split": "train",
        "label": kind.label,
        "group": kind.group,
        "kind": kind.name,
        "instance": f"scene-{kind.family}-{seed}",
        "source": "faunalens/scenes",
        "licence": "Apache-2.0",
    }


def _write_manifest(out: Path) -> None:
    """List every finished picture in `out`, whichever runs made them."""
    rows = []
    for kind in KINDS.values():
        for path in out.glob(f"{kind.name}-*.jpg"):
            number = path.stem.removeprefix(f"{kind.name}-")
            if number.lstrip("-").isdigit() and (out / "masks" / f"{path.stem}.png").exists():
                rows.append(_row(kind, int(number)))
    rows.sort(key=lambda row: (row["instance"], row["kind"]))
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _render_all(out: Path, count: int, first: int, settings: Settings) -> None:
    """Render `count` pictures, skipping those already there; the manifest is kept up to date."""
    from training.scenes.scene import make

    (out / "masks").mkdir(parents=True, exist_ok=True)
    kinds = list(KINDS.values())
    for number in range(count):
        kind, seed = kinds[number % len(kinds)], first + number // len(kinds)
        target, mask = out / f"{kind.name}-{seed}.jpg", out / "masks" / f"{kind.name}-{seed}.png"
        if target.exists() and mask.exists():
            continue
        start = time.monotonic()
        shown = make(kind, seed, target, settings, mask)
        print(f"{number + 1}/{count} {target.name} ({shown}) {time.monotonic() - start:.1f} s", flush=True)
        _write_manifest(out)
    _write_manifest(out)


def main(words: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    given = _arguments(words)
    try:
        module()
    except ImportError:
        print("rendering needs Blender's module: pip install 'faunalens[scenes]'", file=sys.stderr)
        return 2
    height = given.size * 3 // 4 if given.sheet else given.size
    settings = Settings(given.size, height, given.samples, given.threads, 88)
    if given.sheet:
        from training.scenes.sheet import sheet

        sheet(given.out, settings)
    else:
        _render_all(given.out, given.count, given.seed, settings)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
