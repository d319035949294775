"""Open-loop load at 1, 2, 5 and 20 times capacity on a real server: goodput, latency, refusals, memory.

Usage: ``python benchmarks/overload.py [--rounds 3] [--seconds 8] [--factors 1,2,5,20] [--out docs/results]``; Linux.

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
import csv
import io
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import uvloop
from PIL import Image

ROOT = Path(__file__).parent.parent
with socket.create_server(("127.0.0.1", 0)) as _probe:
    PORT = int(_probe.getsockname()[1])
PATIENCE = 60.0
CONNECTIONS = 2 * (os.cpu_count() or 1)
_TICK = os.sysconf("SC_CLK_TCK")


def request_bytes(headers: str) -> bytes:
    """A whole request with the photo, ready to send."""
    buffer = io.BytesIO()
    with Image.open(ROOT / "docs/samples/tusks.jpg") as image:
        image.resize((320, 240), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
    body = buffer.getvalue()
    head = f"POST /v1/detect HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Outcomes:
    """What became of the requests of one step. Times in seconds."""

    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    other: list[int] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    sent: int = 0

    def note(self, status: int, due: float, sent: float) -> None:
        """Count one answer to a request that was due and sent at these times."""
        now = time.perf_counter()
        if status == 200:
            self.accepted.append(now - due)
        elif status == 503:
            self.refused.append(now - sent)
        else:
            self.other.append(status)


class Connection(asyncio.Protocol):
    """One keep-alive connection that has at most one request under way."""

    def __init__(self, client: "Client") -> None:
        self.client = client
        self.data = b""
        self.due = 0.0
        self.sent = 0.0
        self.waiter: asyncio.Future[int] | None = None
        self.transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Answer when the whole response is there."""
        self.data += data
        head, end, body = self.data.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self.data = b""
            self.client.answered(self, int(head[9:12]))

    def connection_lost(self, _: Exception | None) -> None:
        """Never expected while a request is under way."""
        if self.due:
            self.client.answered(self, 0, reuse=False)
        elif self in self.client.idle:
            self.client.idle.remove(self)


class Client:
    """Sends when told, on an idle connection or a new one."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.idle: deque[Connection] = deque()
        self.outcomes = Outcomes()
        self.busy = 0

    async def send(self, due: float) -> Connection:
        """Send one request that was due at ``due`` (``time.perf_counter``)."""
        self.busy += 1
        if self.idle:
            return self._send(self.idle.pop(), due)
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", PORT)
        return self._send(connection, due)

    def _send(self, connection: Connection, due: float) -> Connection:
        self.outcomes.sent += 1
        connection.due, connection.sent = due, time.perf_counter()
        self.outcomes.late.append(connection.sent - due)
        connection.transport.write(self.request)
        return connection

    def answered(self, connection: Connection, status: int, reuse: bool = True) -> None:
        """Note the answer and keep the connection."""
        self.outcomes.note(status, connection.due, connection.sent)
        connection.due = 0.0
        self.busy -= 1
        if reuse:
            self.idle.append(connection)
        if connection.waiter:
            connection.waiter.set_result(status)
            connection.waiter = None

    async def closed_loop(self, seconds: float, connections: int) -> float:
        """Accepted requests per second with that many connections, each sending as soon as it is answered."""
        self.outcomes = Outcomes()
        started = time.perf_counter()

        async def one() -> None:
            while time.perf_counter() < started + seconds:
                connection = await self.send(time.perf_counter())
                connection.waiter = asyncio.get_running_loop().create_future()
                await connection.waiter

        await asyncio.gather(*(one() for _ in range(connections)))
        return len(self.outcomes.accepted) / (time.perf_counter() - started)

    async def open_loop(self, rate: float, seconds: float) -> Outcomes:
        """Poisson arrivals, ``rate * seconds`` of them; returns when all are answered, or after PATIENCE."""
        self.outcomes = Outcomes()
        started = time.perf_counter()
        tasks = set()
        for due in sorted(started + random.uniform(0, seconds) for _ in range(round(rate * seconds))):
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            if self.idle:
                # without a task: the client shares the cores with the server
                self.busy += 1
                self._send(self.idle.pop(), due)
                continue
            task = asyncio.ensure_future(self.send(due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        while self.busy and time.perf_counter() < started + seconds + PATIENCE:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return self.outcomes


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def memory_mb(pid: int) -> float:
    """Resident memory of a process, MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass(frozen=True)
class Row:
    """One step. Times in milliseconds, rates per second, shares of all cores."""

    factor: float
    capacity: float
    offered: float
    goodput: float
    share: float
    share_left: float
    p50: float
    p99: float
    spread: float
    refused: int
    refused_p50: float
    refused_p99: float
    refused_max: float
    unanswered: int
    other: int
    client_late_p99: float
    client_cpu: float
    server_cpu: float
    memory_mb: float
    memory_growth_mb: float

    def broken(self) -> list[str]:
        """The promises that this step broke."""
        checks = {
            "goodput < 90 % of what the client left": self.share_left < 0.9,
            "p99 > 3 x p50": self.spread > 3,
            "a refusal took 50 ms": self.refused_max >= 50,
            "not answered": self.unanswered + self.other > 0,
            "memory grew": self.memory_growth_mb > 50,
        }
        return [f"{self.factor:g}x: {name}" for name, wrong in checks.items() if wrong]


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


def combined(rows: list[Row]) -> Row:
    """The rounds of one step as one row."""
    worst = ("refused_p99", "refused_max", "unanswered", "other", "memory_mb", "memory_growth_mb")
    values = {name: [getattr(row, name) for row in rows] for name in vars(rows[0])}
    return Row(**{name: max(v) if name in worst else statistics.median(v) for name, v in values.items()})


def _percentiles(seconds: list[float], *percents: float) -> list[float]:
    if not seconds:
        return [0.0] * len(percents)
    return [float(value) * 1e3 for value in np.percentile(seconds, percents)]


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = [
        "| load | capacity/s | offered/s | goodput/s | share | share left | p50 ms | p99 ms | p99/p50 | refused "
        "| refusal p50/p99/max ms | unanswered | client CPU | sent late p99 ms | memory MB (growth) |",
        "|---" * 15 + "|",
    ]
    for row in rows:
        lines.append(
            f"| {row.factor:g}x | {row.capacity:.1f} | {row.offered:.1f} | {row.goodput:.1f} "
            f"| {row.share:.0%} | {row.share_left:.0%} | {row.p50:.0f} | {row.p99:.0f} | {row.spread:.2f} "
            f"| {row.refused:.0f} | {row.refused_p50:.1f} / {row.refused_p99:.1f} / {row.refused_max:.1f} "
            f"| {row.unanswered + row.other} | {row.client_cpu:.0%} | {row.client_late_p99:.1f} "
            f"| {row.memory_mb:.0f} ({row.memory_growth_mb:+.0f}) |"
        )
    return "\n".join(lines)


def write(rows: list[Row], out: Path) -> None:
    """``overload.csv`` and, where matplotlib is installed, ``overload.png``."""
    with (out / "overload.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*vars(rows[0])])
        writer.writeheader()
        writer.writerows({name: round(value, 3) for name, value in vars(row).items()} for row in rows)
    try:
        from matplotlib import pyplot
    except ImportError:
        return
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    names = [f"{row.factor:g}x" for row in rows]
    left.bar(names, [row.share for row in rows], color="#3b7a57")
    left.axhline(0.9, color="black", linestyle="--", linewidth=1)
    left.set(title="goodput / capacity", xlabel="offered load, times capacity")
    for label, values in (
        ("accepted p99", [row.p99 for row in rows]),
        ("accepted p50", [row.p50 for row in rows]),
        ("slowest refusal", [row.refused_max for row in rows]),
    ):
        right.plot(names, values, marker="o", label=label)
    right.set(title="milliseconds", xlabel="offered load, times capacity", yscale="log")
    right.legend()
    figure.savefig(out / "overload.png", dpi=110)


def wait_ready() -> None:
    """Until the server is ready."""
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the service did not become ready")


async def measure(options: argparse.Namespace, server: int, key: str) -> list[Row]:
    """All steps; the first closed loop only warms up."""
    probe = Client(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    print(f"the client alone: {await probe.closed_loop(2, 16):.0f} requests/s to /livez", flush=True)
    client = Client(request_bytes(f"Authorization: Bearer {key}\r\n"))
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
            wait_ready()
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
