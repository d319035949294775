"""Command line: `python -m training.scenes OUT --count N --seed S --jobs J --backgrounds FOLDER`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from service.runtime.cores import available_cores
from training.folder_lock import locked
from training.photos.manifest import ManifestError
from training.photos.readable import LIMITS, check_readable
from training.scenes import pool
from training.scenes.backgrounds import BackgroundError, choose, find_photos
from training.scenes.blender import installed
from training.scenes.kind import Kind
from training.scenes.kinds import KINDS
from training.scenes.record import Record, finished
from training.scenes.render import Settings


def _kinds(text: str) -> list[Kind]:
    """The kinds of a list like `raw_tusk,raw_tusk_twin`."""
    unknown = sorted(set(text.split(",")) - set(KINDS))
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown {', '.join(unknown)}; known are {', '.join(KINDS)}")
    return [KINDS[name] for name in dict.fromkeys(text.split(","))]


def _at_least(least: int) -> Callable[[str], int]:
    """A whole number that is not below `least`."""

    def number(text: str) -> int:
        if (value := int(text)) < least:
            raise argparse.ArgumentTypeError(f"{value} is below {least}")
        return value

    return number


def _arguments(words: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.scenes", description="Render labelled scenes of products and look-alikes."
    )
    parser.add_argument("out", type=Path, help="folder for the pictures, their masks and manifest.csv")
    parser.add_argument(
        "--count", type=_at_least(1), default=8, help="number of pictures; kinds take turns, one seed a round"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the first round")
    parser.add_argument("--kinds", type=_kinds, default=list(KINDS.values()), help="kinds to render, comma-separated")
    parser.add_argument(
        "--backgrounds", type=Path, help="photos for half of the scenes; with manifest.csv, its train listings only"
    )
    parser.add_argument(
        "--size", type=_at_least(32), default=320, help="width and height in pixels (samples sheet: width, at 4:3)"
    )
    parser.add_argument("--samples", type=_at_least(1), default=24, help="Cycles samples per pixel")
    parser.add_argument("--jobs", type=_at_least(0), default=0, help="worker processes; 0: one for each core")
    parser.add_argument("--threads", type=_at_least(1), default=1, help="processor threads of a worker")
    parser.add_argument("--contact-sheet", action="store_true", help="make OUT/scenes.png: products beside twins")
    parser.add_argument("--sheet", action="store_true", help="make the fixed sample pictures of docs/samples instead")
    return parser.parse_args(words)


def tasks(kinds: list[Kind], first: int, photos: list[Path], folder: Path) -> Iterator[pool.Task]:
    """Pictures without end: the kinds take turns, each round has the next seed. `photos`: of `folder`."""
    seed = first
    while True:
        for kind in kinds:
            yield pool.Task(kind.name, seed, choose(photos, folder, kind.family, seed))
        seed += 1


def render_all(
    wanted: list[pool.Task], out: Path, settings: Settings, jobs: int, worker: pool.Worker = pool.render
) -> int:
    """Make the pictures that `out` lacks, and keep its manifest up to date; returns how many failed.

    Raises OSError where a file cannot be written: the next ones could not be either.
    """
    from tqdm import tqdm

    (out / "masks").mkdir(parents=True, exist_ok=True)
    record = Record(out)
    for task in wanted:
        record.add_unlisted(KINDS[task.kind], task.seed, task.background)
    record.save()
    todo = [task for task in wanted if not finished(out, task.kind, task.seed)]
    failed = 0
    with tqdm(total=len(wanted), initial=len(wanted) - len(todo), unit="picture", smoothing=0.05) as bar:
        for task, shown in pool.run(todo, out, settings, jobs, worker):
            if isinstance(shown, OSError):
                raise shown
            if isinstance(shown, Exception):
                failed += 1
                bar.write(f"{task.kind}-{task.seed}: {type(shown).__name__}: {shown}", file=sys.stderr)
            else:
                record.add(KINDS[task.kind], task.seed, task.background)
                bar.set_postfix_str(f"{task.kind}-{task.seed} {shown}", refresh=False)
            bar.update()
    return failed


def main(words: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    given = _arguments(words)
    if not installed():
        print("rendering needs Blender's module: in a checkout of Faunalens, pip install '.[scenes]'", file=sys.stderr)
        return 2
    try:
        return _make(given)
    except (BackgroundError, ManifestError) as fault:
        print(fault, file=sys.stderr)
        return 2
    except OSError as fault:
        print(fault, file=sys.stderr)
        return 1


def _make(given: argparse.Namespace) -> int:
    """Make what was asked for; returns the exit status."""
    if given.sheet:
        from training.scenes.sheet import sheet

        sheet(given.out, Settings(given.size, given.size * 3 // 4, given.samples, given.threads, 88))
        return 0
    settings = Settings(given.size, given.size, given.samples, given.threads, 88)
    jobs = given.jobs or available_cores()
    if given.contact_sheet:
        from training.scenes.contact import contact_sheet

        contact_sheet(given.out / "scenes.png", settings, jobs)
        return 0
    photos = find_photos(given.backgrounds) if given.backgrounds else []
    with locked(given.out):
        return _render(given, settings, jobs, photos)


def _render(given: argparse.Namespace, settings: Settings, jobs: int, photos: list[Path]) -> int:
    """Render what is lacking, with `photos` as backgrounds; returns the exit status."""
    wanted = list(islice(tasks(given.kinds, given.seed, photos, given.backgrounds or Path()), given.count))
    todo = [task for task in wanted if not finished(given.out, task.kind, task.seed)]
    check_readable(sorted({task.background.photo for task in todo if task.background}), LIMITS)
    failed = render_all(wanted, given.out, settings, jobs)
    if failed:
        print(f"{failed} pictures failed; run the same command again to try them once more", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
