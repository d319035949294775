"""Applications that are ready: for a client in this process, or on a real port, where tests can still reach inside."""

import contextlib
import gc
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.api.state import State
from service.api.turnstile import Turnstile
from service.server import configure


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[tuple[str, int]]:
    """Host and port of ``app`` under uvicorn as the service runs it, ready to judge."""
    listening = socket.create_server(("127.0.0.1", 0))
    state: State = app.state.faunalens
    server = uvicorn.Server(configure(state.settings, app, Turnstile(state)))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        until(lambda: server.started and state.ready)
        yield listening.getsockname()
    finally:
        server.should_exit = True
        thread.join(60)
        listening.close()


@contextlib.contextmanager
def ready(app: FastAPI) -> Iterator[TestClient]:
    """A client of ``app``, whose model is loaded; what fails unexpectedly is answered, as over HTTP."""
    with TestClient(app, raise_server_exceptions=False) as client:
        until(lambda: client.get("/readyz").status_code != 503)
        yield client


def ticks(pid: int) -> int:
    """Processor time that a process has used, in the system's ticks."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


def children(pid: int) -> set[int]:
    """Processes started by any thread of ``pid``."""
    found: set[int] = set()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.update(map(int, (thread / "children").read_text().split()))
    return found


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Wait for ``condition()``; fails after ``seconds``, which are many, for machines that are slow or busy."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


class Photo(bytearray):
    """Bytes that tell when nothing holds them any more."""

    @property
    def gone(self) -> Callable[[], bool]:
        """Says so; holds them no more than the others."""
        found = weakref.ref(self)
        return lambda: found() is None


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Without collections of rings: what is gone here was let go of."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
