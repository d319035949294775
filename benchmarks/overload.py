"""Open-loop load at 1, 2, 5 and 20 times capacity on a real server: goodput, latency, refusals, memory.

Usage: ``python -m benchmarks.overload [--rounds 3] [--seconds 8] [--factors 1,2,5,20] [--out docs/results]``; Linux.

Steps take turns, ``rounds`` times. Shown is the median of the rounds; of refusals, answers that never came and memory
the worst. Capacity is measured with a closed loop of two connections a core before and after each step, on the same
server, by the same client; goodput is compared with it, or with what was offered where that is less, and again with the
capacity times the share of the processor that the client, which stands for other machines, did not use. Arrivals are a
Poisson process with their number fixed. Accepted requests are timed from the moment at which they were due, refused
ones from when they were sent. The client is one process beside the server, speaks HTTP/1.1 on raw sockets, and sends
prepared bytes with an API key; its share of the processor and how late it sent are in the table. The photo is a
rendered sample at 320 x 240 pixels.

Exit code 1 when a promise is broken: goodput >= 90 % of the capacity that the client left, p99 of accepted <= 3 x p50,
every refusal a 503 in under 50 ms, every request answered, memory flat (at most 50 MB more than before the step).
"""

import argparse
import asyncio
import io
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import uvloop
from PIL import Image

from benchmarks.open_loop import Client
from benchmarks.overload_report import Row, combined, table, write
from benchmarks.processes import cpu_seconds
from benchmarks.servers import wait_ready

ROOT = Path(__file__).parent.parent
with socket.create_server(("127.0.0.1", 0)) as _probe:
    PORT = int(_probe.getsockname()[1])
CONNECTIONS = 2 * (os.cpu_count() or 1)


def request_bytes(headers: str) -> bytes:
    """A whole request with the photo, ready to send."""
    buffer = io.BytesIO()
    with Image.open(ROOT / "docs/samples/tusks.jpg") as image:
        image.resize((320, 240), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
    body = buffer.getvalue()
    head = f"POST /v1/detect HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def memory_mb(pid: int) -> float:
    """Resident memory of a process, MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def step(client: Client, server: int, factor: float, seconds: float) -> Row:
    """Capacity, load, capacity."""
    before = await client.closed_loop(seconds / 4, CONNECTIONS)
    memory, cpu, own, started = memory_mb(server), cpu_seconds(server), cpu_seconds(os.getpid()), time.perf_counter()
    load = asyncio.ensure_future(client.open_loop(factor * before, seconds))
    most = memory
    while not load.done():
        await asyncio.sleep(0.25)
        most = max(most, memory_mb(server))
    outcomes = load.result()
    cores = (time.perf_counter() - started) * (os.cpu_count() or 1)
    server_cpu, client_cpu = (cpu_seconds(server) - cpu) / cores, (cpu_seconds(os.getpid()) - own) / cores
    capacity = (before + await client.closed_loop(seconds / 4, CONNECTIONS)) / 2
    p50, p99 = _percentiles(outcomes.accepted, 50, 99)
    refused_p50, refused_p99, refused_max = _percentiles(outcomes.refused, 50, 99, 100)
    answered = len(outcomes.accepted) + len(outcomes.refused) + len(outcomes.other)
    offered, goodput = outcomes.sent / seconds, len(outcomes.accepted) / seconds
    left = capacity * (1 - client_cpu)
    return Row(
        factor=factor, capacity=capacity, offered=offered, goodput=goodput, share=goodput / min(capacity, offered),
        share_left=goodput / min(left, offered),
        p50=p50, p99=p99, spread=p99 / p50,
        refused=len(outcomes.refused), refused_p50=refused_p50, refused_p99=refused_p99,
        refused_max=refused_max, unanswered=outcomes.sent - answered, other=len(outcomes.other),
        client_late_p99=_percentiles(outcomes.late, 99)[0], client_cpu=client_cpu, server_cpu=server_cpu,
        memory_mb=most, memory_growth_mb=most - memory,
    )  # fmt: skip


def _percentiles(seconds: list[float], *percents: float) -> list[float]:
    if not seconds:
        return [0.0] * len(percents)
    return [float(value) * 1e3 for value in np.percentile(seconds, percents)]


async def measure(options: argparse.Namespace, server: int, key: str) -> list[Row]:
    """All steps; the first closed loop only warms up."""
    probe = Client(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", PORT)
    print(f"the client alone: {await probe.closed_loop(2, 16):.0f} requests/s to /livez", flush=True)
    client = Client(request_bytes(f"Authorization: Bearer {key}\r\n"), PORT)
    await client.closed_loop(3, CONNECTIONS)
    rounds: dict[float, list[Row]] = {factor: [] for factor in options.factors}
    for _ in range(options.rounds):
        for factor, rows in rounds.items():
            rows.append(await step(client, server, factor, options.seconds))
            print(table(rows[-1:]).splitlines()[-1], flush=True)
    return [combined(rows) for rows in rounds.values()]


def main() -> None:
    """Start the server, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--factors", type=lambda text: [float(part) for part in text.split(",")], default="1,2,5,20")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "FAUNALENS_PORT": str(PORT), "FAUNALENS_LOG_LEVEL": "warning",
                       "FAUNALENS_AUTH": "on", "FAUNALENS_KEYS": f"{folder}/keys.db"}  # fmt: skip
        command = [sys.executable, "-c", "from service.cli import main; main()"]
        create = [*command, "keys", "create", "--name", "load", "--scope", "detect"]
        made = subprocess.run(create, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        server = subprocess.Popen([*command, "serve"], env=environment, cwd=ROOT)
        try:
            wait_ready(server, f"http://127.0.0.1:{PORT}/readyz")
            rows = uvloop.run(measure(options, server.pid, made.stdout.strip()))
        finally:
            server.terminate()
            server.wait()
    print(table(rows))
    if options.out:
        write(rows, options.out)
    broken = [promise for row in rows for promise in row.broken()]
    print("\n".join(broken) or "every promise kept")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
