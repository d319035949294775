"""What a key costs a request: the door with keys, beside the door without, interleaved in one run.

Usage: ``python -m benchmarks.authentication [--rounds 7] [--requests 5000]``. The application behind the door does
nothing, so the difference is authentication and its allowances.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from starlette.types import Message, Receive, Scope, Send

from service.api.door import Door
from service.api.state import State
from service.keys.key import Key, new_key
from service.keys.key import Scope as KeyScope
from service.keys.keystore import KeyStore
from service.settings import Settings


async def nothing(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An application that answers at once."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def receive() -> Message:
    """No body."""
    return {"type": "http.request", "body": b""}


async def send(_: Message) -> None:
    """Nobody listens."""


async def microseconds(door: Door, headers: list[tuple[bytes, bytes]], requests: int) -> float:
    """Mean time of a request through ``door``."""
    started = time.perf_counter()
    for _ in range(requests):
        scope = {"type": "http", "method": "POST", "path": "/v1/detect", "headers": headers, "client": ("::1", 1)}
        await door(scope, receive, send)
    return (time.perf_counter() - started) / requests * 1e6


async def measure(options: argparse.Namespace, folder: Path) -> None:
    """Print medians over rounds."""
    store = KeyStore(folder / "keys.db")
    store.create_file()
    scopes = frozenset({KeyScope.DETECT})
    text, key = new_key("load", scopes, "2026-01-01T00:00:00+00:00", 1e9, 10**9, 10**9)
    store.add(key)
    without = Door(nothing, State(Settings(auth="off")))
    state = State(Settings(auth="on", keys=store.path))
    headers = [(b"authorization", f"Bearer {text}".encode()), (b"content-type", b"image/jpeg")]
    first = await microseconds(Door(nothing, state), headers, 1)
    assert isinstance(await state.access.allow(text, scopes), Key)  # type: ignore[union-attr]
    costs, bases = [], []
    for _ in range(options.rounds):
        bases.append(await microseconds(without, headers, options.requests))
        costs.append(await microseconds(Door(nothing, state), headers, options.requests) - bases[-1])
    print(f"door without keys: {statistics.median(bases):.1f} us")
    print(f"keys add: {statistics.median(costs):.1f} us ({min(costs):.1f} to {max(costs):.1f})")
    print(f"the first request with a key: {first / 1e3:.0f} ms")


def main() -> None:
    """Parse and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=5000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(options, Path(folder)))


if __name__ == "__main__":
    main()
