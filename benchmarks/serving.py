"""Throughput, latency, CPU and memory of the service beside the bare loop and beside other ways to serve it.

Usage: ``python -m benchmarks.serving [--photos jpeg-2mp,...] [--contenders NAME,...] [--rounds 5] [--seconds 8]
[--concurrency 8] [--output FILE.csv]``; needs ``wrk`` on the PATH. Every round runs the bare loop, Faunalens and each
contender once, one after another, each freshly started, so that none works beside another; ratios are taken within a
round. Faunalens runs with keys, metrics and a log line a request; its cache is off, because the photos come again.
"""

import argparse
import csv
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import load
from benchmarks.contenders import BY_NAME, CONTENDERS, Contender
from benchmarks.environments import CACHE, bin_of
from benchmarks.photos import KINDS, make
from benchmarks.servers import running
from service.detector import DEFAULT_MODEL, shipped_weights

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "benchmarks/peers"
PORT = 8765
BARE, OURS = "bare-loop", "faunalens"
_SETTLE = 0.5
_FAUNALENS = Contender(
    OURS, "", (sys.executable, "-c", "from service.cli import main; main()", "serve"), "/v1/detect", "raw", "/readyz"
)


@dataclasses.dataclass(frozen=True)
class Row:
    """One contender in one round."""

    photo: str
    contender: str
    concurrency: int
    round: int
    photos_per_second: float
    failed: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    cpu_ms_per_photo: float
    generator_cpu_ms_per_photo: float
    memory_mb: float
    ready_seconds: float


def main() -> None:
    """Run the rounds, append to the CSV file, print medians."""
    options = _options()
    with options.output.open("a", newline="") as stream:
        rows = csv.DictWriter(stream, [field.name for field in dataclasses.fields(Row)])
        if not stream.tell():
            rows.writeheader()
        for kind in options.photos:
            measured = []
            for number in range(options.rounds):
                for name in (BARE, OURS, *options.contenders):
                    row = measure(name, kind, number, options)
                    measured.append(row)
                    rows.writerow(dataclasses.asdict(row))
                    stream.flush()
            print(summary(measured), flush=True)


def _options() -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return [name for name in text.split(",") if name]

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=names, default=list(KINDS))
    parser.add_argument("--contenders", type=names, default=[contender.name for contender in CONTENDERS])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--output", type=Path, default=Path("serving.csv"))
    return parser.parse_args()


def measure(name: str, kind: str, number: int, options: argparse.Namespace) -> Row:
    """One contender, freshly started, with one kind of photo."""
    photos = make(kind, CACHE / "photos")
    if name == BARE:
        return _bare(photos, kind, number, options)
    with tempfile.TemporaryDirectory() as folder:
        contender, variables, headers = _FAUNALENS, {}, {}
        if name == OURS:
            variables, headers = _faunalens(Path(folder))
        else:
            contender = BY_NAME[name]
        return _served(contender, variables, headers, Path(folder), photos, kind, number, options)


def _served(
    contender: Contender,
    variables: dict[str, str],
    headers: dict[str, str],
    folder: Path,
    photos: list[Path],
    kind: str,
    number: int,
    options: argparse.Namespace,
) -> Row:
    commands = bin_of(contender.environment) if contender.environment else ""
    command = [part.format(bin=commands, port=PORT) for part in contender.command]
    environment = {**_peer_variables(), **contender.variables, **variables}
    base = f"http://127.0.0.1:{PORT}"
    script, bodies = load.prepare(contender.carries, photos, folder, headers)
    where = PEERS if contender.environment else ROOT
    with running(command, base + contender.health, where, environment) as server:
        load.run(base + contender.path, script, bodies, 2, options.concurrency)
        time.sleep(_SETTLE)  # what was under way when the warm-up hung up is done then
        before = server.family.cpu_seconds()
        seen = load.run(base + contender.path, script, bodies, options.seconds, options.concurrency)
        cpu = server.family.cpu_seconds() - before
        memory = server.family.memory_mb()
    done = max(1, seen.answered)
    return Row(
        kind, contender.name, options.concurrency, number, seen.answered / seen.seconds, seen.failed, seen.p50_ms,
        seen.p90_ms, seen.p99_ms, cpu / done * 1e3, seen.generator_seconds / done * 1e3, memory, server.ready_seconds,
    )  # fmt: skip


def _bare(photos: list[Path], kind: str, number: int, options: argparse.Namespace) -> Row:
    command = [sys.executable, "bare_loop.py", str(options.seconds), str(options.concurrency), *map(str, photos)]
    done = subprocess.run(command, cwd=PEERS, env={**os.environ, **_peer_variables()}, capture_output=True, check=True)
    seen = json.loads(done.stdout)
    return Row(
        kind, BARE, 0, number, seen["photos"] / seen["seconds"], 0, seen["p50_ms"], 0, seen["p99_ms"],
        seen["cpu_seconds"] / seen["photos"] * 1e3, 0, seen["memory_mb"], seen["ready_seconds"],
    )  # fmt: skip


def _peer_variables() -> dict[str, str]:
    return {"PEER_CONTRACT": str(shipped_weights() / DEFAULT_MODEL), "PEER_PORT": str(PORT)}


def _faunalens(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Settings and headers: keys on, all else as shipped."""
    variables = {"FAUNALENS_PORT": str(PORT), "FAUNALENS_KEYS": str(folder / "keys.db")}
    command = [*_FAUNALENS.command[:3], "keys", "create", "--name", "load", "--scope", "detect"]
    made = subprocess.run(
        command, env={**os.environ, **variables}, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return variables, {"X-API-Key": made.stdout.strip()}


def summary(rows: list[Row]) -> str:
    """Medians over rounds as a Markdown table; ratios to the bare loop within each round, of speed with their range."""
    bare = {row.round: row for row in rows if row.contender == BARE}
    lines = [
        f"| {rows[0].photo} | photos/s | of the bare loop (range) | by CPU time | p50 ms | p99 ms | failed "
        "| CPU ms a photo | memory MB | ready s |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name in dict.fromkeys(row.contender for row in rows):
        own = [row for row in rows if row.contender == name]
        ratios = [row.photos_per_second / bare[row.round].photos_per_second for row in own]
        frugal = statistics.median(frugality(row, bare[row.round]) for row in own)

        def middle(field: str, own: list[Row] = own) -> float:
            return statistics.median(getattr(row, field) for row in own)

        lines.append(
            f"| {name} | {middle('photos_per_second'):.1f} "
            f"| {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | {frugal:.2f} "
            f"| {middle('p50_ms'):.0f} | {middle('p99_ms'):.0f} | {sum(row.failed for row in own)} "
            f"| {middle('cpu_ms_per_photo'):.1f} | {middle('memory_mb'):.0f} | {middle('ready_seconds'):.2f} |"
        )
    return "\n".join(lines)


def frugality(row: Row, bare: Row) -> float:
    """Processor time of the bare loop for a photo, against that of the contender and its load generator."""
    return bare.cpu_ms_per_photo / (row.cpu_ms_per_photo + row.generator_cpu_ms_per_photo)


if __name__ == "__main__":
    main()
