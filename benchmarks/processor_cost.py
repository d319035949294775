"""Processor time that a request costs the service, in milliseconds, its decoder processes included.

Usage: ``python -m benchmarks.processor_cost [--rounds 5] [--requests 60] [--against PATH]``; Linux. Two clients post
the photo of ``benchmarks/endpoint.py``. Only the service's own processor time is counted, so the clients and other work
on the machine disturb it less than they disturb times. With ``--against``, the service of another checkout is measured
beside this one: rounds take turns, and the ratio of the medians is printed.
"""

import argparse
import http.client
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.endpoint import photo
from benchmarks.processes import cpu_seconds
from benchmarks.servers import wait_ready

ROOT = Path(__file__).parent.parent
PORT = 8767
CLIENTS = 2


class Service:
    """The service of one checkout, running."""

    def __init__(self, checkout: Path, port: int) -> None:
        environment = {**os.environ, "FAUNALENS_PORT": str(port), "FAUNALENS_AUTH": "off", "PYTHONPATH": str(checkout),
                       "FAUNALENS_LOG_LEVEL": "warning"}  # fmt: skip
        command = [sys.executable, "-c", "from service.cli import main; main()", "serve"]
        self.process = subprocess.Popen(command, env=environment, cwd=checkout)
        self.port = port

    def milliseconds(self, data: bytes, requests: int) -> float:
        """Mean processor time of a request."""
        before = self._seconds()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(self._post, [data] * CLIENTS, [requests // CLIENTS] * CLIENTS))
        return (self._seconds() - before) / (requests // CLIENTS * CLIENTS) * 1e3

    def _post(self, data: bytes, requests: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for _ in range(requests):
            connection.request("POST", "/v1/detect", data, {"Content-Type": "image/jpeg"})
            response = connection.getresponse()
            response.read()
            assert response.status == 200, response.status
        connection.close()

    def _seconds(self) -> float:
        pid = self.process.pid
        tasks = Path(f"/proc/{pid}/task").iterdir()
        pids = [str(pid), *(child for task in tasks for child in (task / "children").read_text().split())]
        return sum(cpu_seconds(int(pid)) for pid in pids)


def measure(services: list[Service], options: argparse.Namespace) -> list[list[float]]:
    """Milliseconds a request by service and round; the first requests only warm up."""
    data = photo()
    for service in services:
        wait_ready(service.process, f"http://127.0.0.1:{service.port}/readyz")
        service.milliseconds(data, 20)
    costs: list[list[float]] = [[] for _ in services]
    for turn in range(options.rounds):
        order = list(enumerate(services))
        for number, service in reversed(order) if turn % 2 else order:
            costs[number].append(service.milliseconds(data, options.requests))
    return costs


def main() -> None:
    """Parse, start, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--against", type=Path, help="another checkout")
    options = parser.parse_args()
    checkouts = [ROOT, *([options.against.resolve()] if options.against else [])]
    services = [Service(checkout, PORT + number) for number, checkout in enumerate(checkouts)]
    try:
        costs = measure(services, options)
    finally:
        for service in services:
            service.process.terminate()
            service.process.wait()
    for checkout, values in zip(checkouts, costs, strict=True):
        print(f"{checkout}: median {statistics.median(values):.2f} ms, {min(values):.2f} to {max(values):.2f}")
    if options.against:
        print(f"this / other: {statistics.median(costs[0]) / statistics.median(costs[1]):.3f}")


if __name__ == "__main__":
    main()
