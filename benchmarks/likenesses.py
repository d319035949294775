"""How long it takes to find what is near-identical to a photo in a queue.

``python -m benchmarks.likenesses``; once with the sample pictures over and over, the worst that a queue can hold, and
once with a tenth of it alike and other hashes by chance.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from service.detector import Detector
from service.settings import Settings
from service.store.database import open_database
from service.store.likenesses import likenesses
from tests.review_queue import fill

LIMIT, ROUNDS = 8, 100


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--queue", type=int, default=10_000)
    wanted = options.parse_args()
    detector = Detector(Settings(auth="off"))
    for name, alike in (("all alike", None), ("a tenth alike", wanted.queue // 10)):
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder), detector, wanted.queue, alike=alike)
            database, times = open_database(None, Path(folder)), []
            for item in range(1, wanted.queue, max(1, wanted.queue // ROUNDS)):
                start = time.perf_counter()
                likenesses(database, item, LIMIT)
                times.append((time.perf_counter() - start) * 1e3)
            database.close()
        middle, high = statistics.median(times), statistics.quantiles(times, n=20)[18]
        print(f"{wanted.queue} photos, {name}: p50 {middle:.0f} ms, p95 {high:.0f} ms, longest {max(times):.0f} ms")


if __name__ == "__main__":
    main()
