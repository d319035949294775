"""What the refusal of one request costs the thread that answers, without sockets: parsing, deciding, counting, words.

Usage: ``python -m benchmarks.refusal_cost [--log-level warning] [--pieces 1]``. The request of
:mod:`benchmarks.overload` is given to the server's protocol again and again, in one or more pieces, while no place is
free. Shown is the processor time of the thread by request, microseconds: the least and the median of 80 runs of 50. The
system's part (receiving, sending, waiting) is not in it. To compare, run it in two checkouts in turn.
"""

import argparse
import asyncio
import logging
import math
import queue
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from uvicorn.server import ServerState

from benchmarks.overload import request_bytes
from service.api import turnstile
from service.api.app import create_app
from service.api.turnstile import Turnstile
from service.keys.key import Scope
from service.server import configure
from service.settings import Settings
from service.telemetry.logs import JsonLine, _Enqueue
from tests.keyed import add_key, new_store

_RUNS, _EACH = 80, 50


class Nowhere(asyncio.Transport):
    """Takes what is written."""

    def write(self, data: Any) -> None:
        """Every answer must be a refusal."""
        assert data.startswith(b"HTTP/1.1 503 ")

    def is_closing(self) -> bool:
        """Never."""
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As of a connection on this machine."""
        return {"peername": ("127.0.0.1", 5), "sockname": ("127.0.0.1", 8000)}.get(name, default)


async def measure(folder: Path, pieces: int) -> list[float]:
    """Seconds by request, of each run."""
    store = new_store(folder / "keys.db")
    key = add_key(store, "load", Scope.DETECT)
    settings = Settings(auth="on", keys=store.path)
    app = create_app(settings)
    state = app.state.faunalens
    await state.access.ring.identify(key)
    state.last_refusal = time.monotonic()
    slots = state.workers.admission._slots
    # a machine that stalls must not let one in
    slots.taken, turnstile._ALERT = slots.most, math.inf
    config = configure(settings, app, Turnstile(state))
    config.load()
    servers = ServerState()
    servers.default_headers = [(b"date", b"Tue, 01 Dec 2026 00:00:00 GMT")]
    protocol: Any = config.http_protocol_class(config=config, server_state=servers, app_state={})  # type: ignore[operator]
    protocol.connection_made(Nowhere())
    request = request_bytes(f"Authorization: Bearer {key}\r\n")
    size = math.ceil(len(request) / pieces)
    parts = [request[at : at + size] for at in range(0, len(request), size)]
    found = []
    for _ in range(_RUNS):
        started = time.thread_time()
        for _ in range(_EACH):
            for part in parts:
                protocol.data_received(part)
        found.append((time.thread_time() - started) / _EACH)
        # what the protocol left for the next turn of the loop
        await asyncio.sleep(0)
    return found


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log-level", default="warning")
    parser.add_argument("--pieces", type=int, default=1)
    options = parser.parse_args()
    lines = _Enqueue(queue.Queue(1))
    lines.setFormatter(JsonLine())
    logging.basicConfig(level=options.log_level.upper(), handlers=[lines])
    with tempfile.TemporaryDirectory() as folder:
        found = uvloop.run(measure(Path(folder), options.pieces))
    print(f"{min(found) * 1e6:.1f} us at least, median {statistics.median(found) * 1e6:.1f}")


if __name__ == "__main__":
    main()
