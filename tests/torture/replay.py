"""Replays the torture corpora through a real server process over HTTP, and counts the outcomes.

The table of docs/reliability.md: ``python -m tests.torture.replay [--write]``. The corpora are looked
for in FAUNALENS_TORTURE, default ``../shared/torture``, and unpacked to a temporary folder.
"""

import argparse
import contextlib
import http.client
import json
import os
import tarfile
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from service.errors import ErrorCode
from tests.conftest import ROOT, SAMPLES
from tests.live import children
from tests.process import running

CLIENTS = 4
CHECK_EVERY = 100
DEADLINE_SECONDS = 30.0
QUIET = {"FAUNALENS_AUTH": "off", "FAUNALENS_LOG_LEVEL": "error", "FAUNALENS_DRAIN_SECONDS": "0"}
BOUND_BYTES = 1_000_000_000
_STATUS = {code.code: code.status for code in ErrorCode}
_BEGIN, _END = "<!-- torture: begin -->", "<!-- torture: end -->"


@dataclass
class Outcomes:
    """What became of the files. ``slowest`` in seconds, ``peak`` in bytes: resident, all processes of the service."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0
    seconds: float = 0.0
    good: int = 0
    peak: int = 0

    def table(self) -> str:
        """Counts by outcome and corpus, as Markdown."""
        corpora = sorted({corpus for corpus, _ in self.counts})
        outcomes = sorted({outcome for _, outcome in self.counts})
        lines = [f"| outcome | {' | '.join(corpora)} | all |", "|---|" + "---:|" * (len(corpora) + 1)]
        for outcome in outcomes:
            numbers = [self.counts[corpus, outcome] for corpus in corpora]
            lines.append(f"| {outcome} | {' | '.join(map(str, [*numbers, sum(numbers)]))} |")
        totals = [sum(n for (c, _), n in self.counts.items() if c == corpus) for corpus in corpora]
        return "\n".join([*lines, f"| **all** | {' | '.join(map(str, [*totals, sum(totals)]))} |"])


def corpus_folder() -> Path:
    """Where the archives lie."""
    return Path(os.environ.get("FAUNALENS_TORTURE", ROOT / ".." / "shared" / "torture"))


def unpack(folder: Path, target: Path) -> list[Path]:
    """Every file of the archives in ``folder``, unpacked below ``target``, in name order."""
    for archive in sorted(folder.glob("*.tar.xz")):
        with tarfile.open(archive) as packed:
            packed.extractall(target, filter="data")
    return sorted(path for path in target.rglob("*") if path.is_file())


def replay(files: list[Path], root: Path, port: int, pid: int) -> Outcomes:
    """Send every file, and a good photo before every hundredth; ``root``: its folders are the corpora."""
    outcomes = Outcomes()
    photo = (SAMPLES / "tusk-single.jpg").read_bytes()
    expected = _scores(port, photo)
    started = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        for first in range(0, len(files), CHECK_EVERY):
            good = pool.submit(_scores, port, photo)
            batch = files[first : first + CHECK_EVERY]
            for path, (outcome, seconds) in zip(batch, pool.map(lambda p: _outcome(port, p), batch), strict=True):
                outcomes.counts[path.relative_to(root).parts[0], outcome] += 1
                outcomes.slowest = max(outcomes.slowest, seconds)
                if outcome not in ("answered", *_STATUS) or seconds > DEADLINE_SECONDS:
                    outcomes.wrong.append(f"{path.name}: {outcome} in {seconds:.1f} s")
            if good.result() != expected:
                outcomes.wrong.append(f"the good photo got another answer near file {first}")
            outcomes.good += 1
            outcomes.peak = max(outcomes.peak, resident(pid))
    outcomes.seconds = time.monotonic() - started
    return outcomes


def resident(pid: int) -> int:
    """Highest resident memory so far of a process and those it started that live, bytes."""
    total = 0
    for number in (pid, *children(pid)):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, IndexError):
            total += int(Path(f"/proc/{number}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
    return total


def _outcome(port: int, path: Path) -> tuple[str, float]:
    started = time.monotonic()
    status, body = _post(port, path.read_bytes())
    seconds = time.monotonic() - started
    if status == 200:
        return ("answered" if set(body["scores"]) and 0 <= max(body["scores"].values()) <= 1 else "no scores"), seconds
    code = body["error"]["code"]
    known = _STATUS.get(code) == status and body["error"]["request_id"]
    return (code if known and status < 500 else f"{status} {code}"), seconds


def _scores(port: int, photo: bytes) -> dict[str, float]:
    scores: dict[str, float] = _post(port, photo)[1]["scores"]
    return scores


def _post(port: int, data: bytes) -> tuple[int, dict[str, dict[str, float]]]:
    end = time.monotonic() + DEADLINE_SECONDS
    while True:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("POST", "/v1/detect", data, {"Content-Type": "application/octet-stream"})
            response = connection.getresponse()
            body = json.loads(response.read())
        if response.status != 503 or time.monotonic() > end:
            return response.status, body
        time.sleep(0.1)


def main() -> None:
    """Replay everything; with ``--write`` put the table into docs/reliability.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(**QUIET) as (port, process):
        root = Path(folder)
        outcomes = replay(unpack(corpus_folder(), root), root, port, process.pid)
    facts = (
        f"{sum(outcomes.counts.values())} files in {outcomes.seconds:.0f} s, {CLIENTS} at once; slowest "
        f"{outcomes.slowest:.1f} s; {outcomes.good} good photos between them, each with its exact answer; highest "
        f"resident memory of all processes together {outcomes.peak / 1e6:.0f} MB."
    )
    text = f"{_BEGIN}\n{outcomes.table()}\n\n{facts}\n{_END}"
    print(text, *outcomes.wrong, sep="\n")
    if outcomes.wrong:
        raise SystemExit(1)
    if options.write:
        page = ROOT / "docs" / "reliability.md"
        before, after = page.read_text().split(_BEGIN)[0], page.read_text().split(_END)[1]
        page.write_text(before + text + after)


if __name__ == "__main__":
    main()
