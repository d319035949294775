"""``faunalens scan`` beside the bare loop over the same folder, interleaved in one run; and its memory.

Usage: ``python -m benchmarks.bulk [--photos 3000] [--rounds 3] [--archives]``. Photos are JPEGs of 0.3 megapixels made
by us. Start-up is left out: the clock runs from the first record to the last. ``--archives``: the same photos as a tar
and as a zip too.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import time
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import CACHE
from benchmarks.photos import small_photos
from benchmarks.processes import MARK, Family
from service.detector import DEFAULT_MODEL, shipped_weights

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Run:
    """Photos per second, processor milliseconds a photo, and megabytes after a third and nine tenths of the photos."""

    rate: float
    cpu_ms: float
    third_mb: float = 0.0
    end_mb: float = 0.0


def main() -> None:
    """Print medians of rates and ratios within a round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--archives", action="store_true")
    options = parser.parse_args()
    files = list(small_photos(CACHE / "bulk", options.photos))
    given = {"folder": files[0].parent, **(archives(files) if options.archives else {})}
    rounds: dict[str, list[tuple[Run, Run]]] = {name: [] for name in given}
    for _ in range(options.rounds):
        bare = bare_loop(files[0].parent)
        for name, path in given.items():
            rounds[name].append((bare, scan(path, options.photos)))
    for name, pairs in rounds.items():
        rates = [ours.rate / bare.rate for bare, ours in pairs]
        last = pairs[-1][1]
        print(f"{name:7} bare {statistics.median(bare.rate for bare, _ in pairs):6.1f}/s, "
              f"scan {statistics.median(ours.rate for _, ours in pairs):6.1f}/s, "
              f"ratio {statistics.median(rates):.3f} ({min(rates):.3f} to {max(rates):.3f}); CPU a photo "
              f"{statistics.median(bare.cpu_ms for bare, _ in pairs):.1f} and "
              f"{statistics.median(ours.cpu_ms for _, ours in pairs):.1f} ms; "
              f"{last.third_mb:.0f} MB after a third, {last.end_mb:.0f} MB after nine tenths")  # fmt: skip


def bare_loop(folder: Path) -> Run:
    """The practical limit."""
    command = [sys.executable, "bare_folder.py", str(folder)]
    variables = {**os.environ, "PEER_CONTRACT": str(shipped_weights() / DEFAULT_MODEL)}
    where = ROOT / "benchmarks/peers"
    seen = json.loads(subprocess.run(command, cwd=where, env=variables, stdout=subprocess.PIPE, check=True).stdout)
    return Run(seen["photos"] / seen["seconds"], seen["cpu_seconds"] / seen["photos"] * 1e3)


def scan(path: Path, count: int) -> Run:
    """The command, its records read as they come."""
    mark = uuid.uuid4().hex
    family = Family(mark)
    command = [sys.executable, "-c", "from service.cli import main; main()", "scan", "--format", "jsonl", str(path)]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, MARK: mark}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        started, cpu, third, end = time.monotonic(), family.cpu_seconds(), 0.0, 0.0
        for number in range(1, count - 1):
            process.stdout.readline()
            if number == count // 3:
                third = family.memory_mb()
            if number == count * 9 // 10:
                end = family.memory_mb()
        took, cpu = time.monotonic() - started, family.cpu_seconds() - cpu
        process.stdout.read()
    return Run((count - 2) / took, cpu / (count - 2) * 1e3, third, end)


def archives(files: list[Path]) -> dict[str, Path]:
    """The photos as a tar and as a zip, beside their folder."""
    folder = files[0].parent
    paths = {"tar": folder.with_suffix(".tar"), "zip": folder.with_suffix(".zip")}
    if not paths["tar"].exists():
        with tarfile.open(paths["tar"], "w") as tar:
            tar.add(folder, folder.name)
    if not paths["zip"].exists():
        with zipfile.ZipFile(paths["zip"], "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
    return paths


if __name__ == "__main__":
    main()
