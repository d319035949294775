"""Kills a real service with SIGKILL at random points of a batch and looks whether anything is lost or comes twice.

Points are counted in results, photos and pictures under way, not in seconds, so that they are hit on any machine.
``python -m tests.service.bulk.kills --kills 20`` is the long run; it prints the table of docs/batches.md.
"""

import argparse
import contextlib
import io
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import ROOT, SAMPLES
from tests.process import COMMAND, free_port, wait

HOOK = "https://hooks.faunalens.test/x"
SECRET = "whsec_" + "c2VjcmV0" * 4
_PATIENCE_SECONDS = 120
PICTURES = sorted(SAMPLES.glob("*.jpg"))


@dataclass
class Service:
    """A service that is killed and started again over the same store."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {
            **os.environ, "FAUNALENS_AUTH": "off", "FAUNALENS_BATCHES": "on", "FAUNALENS_STORE": str(self.folder),
            "FAUNALENS_BATCH_LEASE_SECONDS": "1", "FAUNALENS_LOG_LEVEL": "error",
            "FAUNALENS_WEBHOOK_HOSTS": "hooks.faunalens.test", "FAUNALENS_WEBHOOK_SECRET": SECRET,
        }  # fmt: skip
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(self.port)], cwd=ROOT, env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait(self.port)

    def kill(self, number: int = signal.SIGKILL) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        self.process.wait(60)


@dataclass
class Kill:
    """One kill. ``finished``: results before it; ``running``: pictures that the killed process held."""

    since: str
    finished: int
    running: int


def archive(pictures: int) -> bytes:
    """A zip with the sample pictures over and over."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for number in range(pictures):
            packed.write(PICTURES[number % len(PICTURES)], f"{number}.jpg")
    return stream.getvalue()


def post(url: str, data: bytes) -> str:
    """Start a batch; its id."""
    response = httpx.post(
        f"{url}/v1/batches", params={"policy": "sensitive", "webhook": HOOK}, content=data, timeout=60,
        headers={"Content-Type": "application/zip"},
    )  # fmt: skip
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


def run(folder: Path, pictures: int, kills: int, seed: int) -> tuple[list[Kill], dict[str, Any]]:
    """Kill ``kills`` times while a batch is judged, let it end, and return the kills and what was found at the end."""
    chance = random.Random(seed)
    service, done = Service(folder), list[Kill]()
    service.start()
    try:
        batch = post(service.url, archive(pictures))
        gone: set[str] = set()
        for number in range(1, kills + 1):
            judging, share = chance.random() > 0.2, chance.random()
            finished = done[-1].finished if done else 0
            if judging:
                # each kill has its part of the batch, so that something is left for the last
                target = finished + 1 + int(share * (pictures * number // (kills + 1) - finished))
                kill = _freeze(service, batch, target, gone)
            else:
                time.sleep(0.3 * share)
                kill = Kill("start", *_counts(folder, batch, gone))
            service.kill()
            gone |= _owners(folder, batch)
            done.append(kill)
            service.start()
        end = time.monotonic() + _PATIENCE_SECONDS
        while (status := httpx.get(f"{service.url}/v1/batches/{batch}", timeout=60).json())["state"] != "done":
            assert time.monotonic() < end, status
            time.sleep(0.1)
        lines = httpx.get(f"{service.url}/v1/batches/{batch}/results", timeout=60).text.splitlines()
        # the last photo is removed after the last result is written
        while photos(folder) and time.monotonic() < end:
            time.sleep(0.1)
    finally:
        service.kill(signal.SIGTERM)
    return done, {"status": status, "lines": lines, "photos": photos(folder), "code": service.process.returncode,
                  **_stored(folder, batch)}  # fmt: skip


@dataclass
class Upload:
    """A kill while a batch comes in: photos that were stored, batches that were answered and that are there."""

    stored: int
    answered: list[str]
    there: dict[str, int]


def run_uploads(folder: Path, pictures: int, kills: int, seed: int) -> list[Upload]:
    """Kill ``kills`` times while a batch comes in: once a random number of photos is stored, or the answer is there."""
    chance, found, answered = random.Random(seed), [], list[str]()
    data = archive(pictures)
    service = Service(folder)
    for _ in range(kills):
        service.start()
        older = set(_photo_folders(folder))
        client = threading.Thread(target=_try_to_post, args=(service.url, data, answered))
        client.start()
        # above the number of pictures: killed as soon as the answer is there
        target = chance.randint(0, pictures * 3 // 2)
        while (stored := _new_photos(folder, older)) < target and client.is_alive():
            time.sleep(0.001)
        service.kill()
        client.join(60)
        batches = _batches(folder)
        assert all(total == items for total, items in batches.values())
        found.append(Upload(stored, [*answered], {batch: total for batch, (total, _) in batches.items()}))
    return found


def _freeze(service: Service, batch: str, target: int, gone: set[str]) -> Kill:
    """Stop the process, to be killed, once ``target`` pictures have results and it holds one, or all are done.

    What is looked at while the process runs is over a moment later; so it is stopped, looked at, and let go again.
    """
    process = service.process
    assert process is not None
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        if _counts(service.folder, batch, gone)[0] >= target:
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            finished, running = _counts(service.folder, batch, gone)
            if running or finished == _total(service.folder, batch):
                return Kill("judging", finished, running)
            process.send_signal(signal.SIGCONT)
        time.sleep(0.002)
    raise AssertionError(f"fewer than {target} results, or nothing under way")


def _try_to_post(url: str, data: bytes, answered: list[str]) -> None:
    with contextlib.suppress(httpx.HTTPError):
        answered.append(post(url, data))


def _photo_folders(folder: Path) -> list[str]:
    return _listed(folder / "photos")


def _new_photos(folder: Path, older: set[str]) -> int:
    return sum(len(_listed(folder / "photos" / name)) for name in set(_photo_folders(folder)) - older)


def _listed(folder: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return os.listdir(folder)
    return []


def photos(folder: Path) -> int:
    """Photos that are in the store."""
    return sum(path.is_file() for path in (folder / "photos").rglob("*"))


def _query(folder: Path, query: str, *values: Any) -> list[Any]:
    with contextlib.closing(sqlite3.connect(folder / "faunalens.db", timeout=60)) as connection:
        return connection.execute(query, values).fetchall()


def _counts(folder: Path, batch: str, gone: set[str]) -> tuple[int, int]:
    """Results, and pictures that a process holds which is not ``gone``."""
    rows = _query(folder, "SELECT state, lease_owner FROM items WHERE batch_id = ?", batch)
    finished = sum(state in {"judged", "failed"} for state, _ in rows)
    return finished, sum(state == "running" and owner not in gone for state, owner in rows)


def _owners(folder: Path, batch: str) -> set[str]:
    return {owner for (owner,) in _query(folder, "SELECT lease_owner FROM items WHERE batch_id = ?", batch) if owner}


def _total(folder: Path, batch: str) -> int:
    return int(_query(folder, "SELECT total FROM batches WHERE id = ?", batch)[0][0])


def _batches(folder: Path) -> dict[str, tuple[int, int]]:
    """Batches, with the pictures that they name and those that are there."""
    rows = _query(folder, "SELECT id, total, (SELECT count(*) FROM items WHERE batch_id = batches.id) FROM batches")
    return {batch: (total, items) for batch, total, items in rows}


def _stored(folder: Path, batch: str) -> dict[str, Any]:
    findings = (
        "SELECT position, category FROM findings JOIN items ON items.id = item_id WHERE batch_id = ? ORDER BY 1, 2"
    )
    return {
        "attempts": [tries for (tries,) in _query(folder, "SELECT attempts FROM items WHERE batch_id = ?", batch)],
        "deliveries": Counter(
            event for (event,) in _query(folder, "SELECT event FROM deliveries WHERE batch_id = ?", batch)
        ),
        "findings": _query(folder, findings, batch),
    }


def whole(end: dict[str, Any], pictures: int) -> bool:
    """Whether every picture has one result, numbered without a gap, each finding one webhook, and no photo is left."""
    records = [json.loads(line) for line in end["lines"]]
    found = sum(bool(record.get("findings")) for record in records)
    return (
        [record["seq"] for record in records] == list(range(1, pictures + 1))
        and sorted(record["position"] for record in records) == list(range(pictures))
        and end["deliveries"] == Counter({"finding": found, "batch.finished": 1})
        and end["photos"] == 0
    )


def told(end: dict[str, Any], pictures: int) -> str:
    """What was found at the end, in words."""
    positions = Counter(json.loads(line)["position"] for line in end["lines"])
    twice = sum(count > 1 for count in positions.values())
    again = sum(tries > 1 for tries in end["attempts"])
    return (
        f"{len(end['lines'])} results, {pictures - len(positions)} missing, {twice} twice; "
        f"{again} taken more than once, most {max(end['attempts'])} times; "
        f"webhooks {dict(end['deliveries'])}; {end['photos']} photos left"
    )


def main() -> None:
    """The long run; exit code 1 where something was lost or is there twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--pictures", type=int, default=800)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kills, end = run(Path(folder) / "store", options.pictures, options.kills, options.seed)
    print("| kill | after | results before | under way |\n|---|---|---|---|")
    for number, kill in enumerate(kills, 1):
        print(f"| {number} | {kill.since} | {kill.finished} | {kill.running} |")
    print(f"\n{options.pictures} pictures: {told(end, options.pictures)}")
    with tempfile.TemporaryDirectory() as folder:
        uploads = run_uploads(Path(folder) / "store", 200, 10, options.seed)
    print(
        "\nkilled while coming in (photos stored, batches of 200 there):", [(u.stored, len(u.there)) for u in uploads]
    )
    sys.exit(0 if whole(end, options.pictures) else 1)


if __name__ == "__main__":
    main()
