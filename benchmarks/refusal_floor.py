"""What refusing costs at least: two threads judge, and beside them a server of a few lines answers 503 to all.

Usage: ``python -m benchmarks.refusal_floor [--rate 6600] [--seconds 4] [--rounds 3] [--refuser "COMMAND"]``; Linux.

The refuser parses nothing: it counts the bytes of whole requests, which all have the same length, and writes one
prepared answer for each. It runs in the process that judges (``thread``: under the same interpreter's lock, as the
service does), in a process of its own (``process``), or is any other program (``--refuser``, with ``{port}`` and
``{bytes}``, the length of a request, in its command). ``nap``: the loop sleeps so many milliseconds after each turn in
which it refused. Shown are the pictures a second beside the refusals, as a share of those without, medians of the
rounds; the processor time of the client; and how long refusals took. The share of a real service cannot be above that.
"""

import argparse
import asyncio
import multiprocessing
import os
import shlex
import statistics
import subprocess
import threading
import time
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import numpy as np
import uvloop

from benchmarks.open_loop import Client
from benchmarks.overload import PORT, request_bytes
from service.detector import Detector
from service.runtime.own_core import OwnCore
from service.runtime.workers import step_back
from service.settings import Settings

_BODY = b'{"error":{"code":"overloaded"' + b" " * 200 + b"}}"
_ANSWER = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: %d\r\n\r\n%s" % (len(_BODY), _BODY)


class Refuser(asyncio.Protocol):
    """Answers each ``length`` bytes."""

    def __init__(self, length: int, nap: float) -> None:
        self.length = length
        self.nap = nap
        self.came = 0
        self.transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self.came += len(data)
        if self.came >= self.length:
            self.came -= self.length
            self.transport.write(_ANSWER)
            if self.nap and not _Napping.soon:
                _Napping.soon = True
                asyncio.get_running_loop().call_soon(_Napping.sleep, self.nap)


class _Napping:
    soon = False

    @classmethod
    def sleep(cls, seconds: float) -> None:
        cls.soon = False
        time.sleep(seconds)


def refuse(length: int, nap: float) -> None:
    """Serve for ever."""

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(
            lambda: Refuser(length, nap), "127.0.0.1", PORT, backlog=2048
        )
        await server.serve_forever()

    uvloop.run(serve())


def judge(count: "Synchronized[int]", length: int, nap: float | None) -> None:
    """Judge on two threads for ever; ``nap`` not None: and refuse."""
    detector = Detector(Settings())
    policy, threads = detector.policy(None), os.cpu_count() or 1
    photo = request_bytes("").partition(b"\r\n\r\n")[2]

    def work(core: OwnCore) -> None:
        step_back(5)
        core.bind(True)
        while True:
            detector.answer(photo, "x", policy)
            with count.get_lock():
                count.value += 1

    for number in range(threads):
        threading.Thread(target=work, args=(OwnCore(number, threads),), daemon=True).start()
    if nap is None:
        threading.Event().wait()
    else:
        refuse(length, nap)


def start(mode: str, count: "Synchronized[int]", length: int, nap: float, command: str) -> list[Any]:
    """Processes that judge, and refuse."""
    inside = nap if mode == "thread" else None
    started: list[Any] = [multiprocessing.Process(target=judge, args=(count, length, inside))]
    if mode == "process":
        started.append(multiprocessing.Process(target=refuse, args=(length, nap)))
    for process in started:
        process.start()
    if mode == "other":
        started.append(subprocess.Popen(shlex.split(command.format(port=PORT, bytes=length))))
    return started


async def measure(count: "Synchronized[int]", client: Client, rate: float, seconds: float) -> dict[str, float]:
    """Pictures a second without and with refusals."""

    async def alone() -> float:
        before = count.value
        await asyncio.sleep(seconds / 2)
        return (count.value - before) / (seconds / 2)

    while not count.value:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    first = await alone()
    before, used, began = count.value, time.process_time(), time.perf_counter()
    outcomes = await client.open_loop(rate, seconds)
    took = time.perf_counter() - began
    beside, used = (count.value - before) / took, time.process_time() - used
    capacity = (first + await alone()) / 2
    p50, p99, most = np.percentile(outcomes.refused, (50, 99, 100)) * 1e3
    return {
        "pictures/s alone": capacity, "beside": beside, "share": beside / capacity, "refused/s": outcomes.sent / took,
        "client us": used / outcomes.sent * 1e6, "client share": used / took / (os.cpu_count() or 1),
        "us of a core each": (1 - beside / capacity) * (os.cpu_count() or 1) * took / outcomes.sent * 1e6,
        "p50 ms": p50, "p99": p99, "max": most, "connections": len(client.open),
    }  # fmt: skip


def main() -> None:
    """Measure each way, ``rounds`` times in turn; print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=6600)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--refuser", default="")
    options = parser.parse_args()
    ways = [("thread", 0.0), ("thread", 2.0), ("process", 0.0), ("process", 2.0)]
    rows: dict[tuple[str, float], list[dict[str, float]]] = {
        way: [] for way in ways + ([("other", 0.0)] if options.refuser else [])
    }
    request = request_bytes(f"Authorization: Bearer {'x' * 59}\r\n")
    for _ in range(options.rounds):
        for (mode, nap), found in rows.items():
            count: Synchronized[int] = multiprocessing.Value("i", 0)
            started = start(mode, count, len(request), nap / 1e3, options.refuser)
            try:
                client = Client(request, PORT)
                found.append(uvloop.run(measure(count, client, options.rate, options.seconds)))
            finally:
                for process in started:
                    process.terminate()
                    (process.wait if isinstance(process, subprocess.Popen) else process.join)()
            print(mode, nap, {name: round(value, 2) for name, value in found[-1].items()}, flush=True)
    names = list(next(iter(rows.values()))[0])
    print(f"| refuser | nap ms | {' | '.join(names)} |\n{'|---' * (len(names) + 2)}|")
    for (mode, nap), found in rows.items():
        medians = (f"{statistics.median(row[name] for row in found):.2f}" for name in names)
        print(f"| {mode} | {nap:g} | {' | '.join(medians)} |")


if __name__ == "__main__":
    main()
