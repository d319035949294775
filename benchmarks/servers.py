"""Starts a contender, waits until it answers, and ends it with all its processes."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import MARK, Family

_START_SECONDS = 90.0


@dataclass(frozen=True)
class Running:
    """A server that answers. ``ready_seconds``: from its start to its first healthy answer."""

    family: Family
    ready_seconds: float


@contextlib.contextmanager
def running(command: list[str], health: str, folder: Path, variables: dict[str, str]) -> Iterator[Running]:
    """``command`` in ``folder``, once its ``health`` address answers 200; raises RuntimeError when it never does."""
    mark = uuid.uuid4().hex
    family = Family(mark)
    with tempfile.TemporaryFile() as log:
        started = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True,
                                   env={**os.environ, **variables, MARK: mark})  # fmt: skip
        try:
            try:
                wait_ready(process, health)
            except RuntimeError as error:
                log.seek(0)
                raise RuntimeError(f"{error}: {log.read()[-2000:].decode(errors='replace')}") from error
            yield Running(family, time.monotonic() - started)
        finally:
            _end(process, family)


def wait_ready(process: "subprocess.Popen[bytes]", health: str) -> None:
    """Until ``health`` answers 200; raises RuntimeError when ``process`` ends, or never becomes ready."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"it ended with {process.returncode}")
        with contextlib.suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(health, timeout=5).close()
            return
        time.sleep(0.02)
    raise RuntimeError("it did not become ready")


def _end(process: "subprocess.Popen[bytes]", family: Family) -> None:
    members = family.members()
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    for pid in members | family.members():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
