"""What a running batch costs live requests: latency with and without one, in turns, on a real server.

``python -m benchmarks.batches``; prints medians and 95th percentiles, their ratios, and the batch's own rate.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from tests.service.bulk.kills import PICTURES, Service, archive, post

ROUNDS, REQUESTS, PICTURES_A_BATCH = 4, 30, 400


def latencies(client: httpx.Client, count: int) -> list[float]:
    """Milliseconds of ``count`` requests, one after the other with a pause like a user's."""
    times = []
    for _ in range(count):
        time.sleep(0.05)
        started = time.perf_counter()
        client.post("/v1/detect", content=PICTURES[0].read_bytes()).raise_for_status()
        times.append((time.perf_counter() - started) * 1e3)
    return times


def shown(times: list[float]) -> str:
    """Median and 95th percentile."""
    return f"p50 {statistics.median(times):.0f} ms, p95 {statistics.quantiles(times, n=20)[18]:.0f} ms"


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder) / "store")
        service.start()
        try:
            with httpx.Client(base_url=service.url, timeout=60) as client:
                alone, beside = measure(client, service.url)
                rate = idle_rate(client, service.url)
        finally:
            service.kill(15)
    print(f"without a batch: {shown(alone)}\nwith one: {shown(beside)}")
    print(f"ratio of medians {statistics.median(beside) / statistics.median(alone):.2f}")
    print(f"a batch alone: {rate:.1f} pictures a second")


def measure(client: httpx.Client, url: str) -> tuple[list[float], list[float]]:
    """Latencies without and with a running batch, in turns."""
    alone: list[float] = []
    beside: list[float] = []
    latencies(client, 5)
    for _ in range(ROUNDS):
        alone += latencies(client, REQUESTS)
        batch = post(url, archive(PICTURES_A_BATCH))
        beside += latencies(client, REQUESTS)
        assert client.get(f"/v1/batches/{batch}").json()["state"] == "running"
        client.post(f"/v1/batches/{batch}:cancel").raise_for_status()
        time.sleep(0.5)
    return alone, beside


def idle_rate(client: httpx.Client, url: str) -> float:
    """Pictures a second while nobody else asks."""
    batch = post(url, archive(100))
    while (status := client.get(f"/v1/batches/{batch}").json())["state"] == "running":
        time.sleep(0.2)
    return float(status["rate"])


if __name__ == "__main__":
    main()
