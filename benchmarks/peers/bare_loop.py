"""The practical limit: decode and infer, one thread a core, no HTTP, no checks.

Usage: ``bare_loop.py SECONDS CALLERS PHOTO...``; prints one JSON object. Fewer callers than cores take as many threads.
"""

import json
import resource
import statistics
import sys
import threading
import time
from pathlib import Path

from recipe import CORES, Recipe


def main() -> None:
    """Go round the photos for SECONDS."""
    seconds, slots = float(sys.argv[1]), range(min(CORES, int(sys.argv[2])))
    photos = [Path(path).read_bytes() for path in sys.argv[3:]]
    started = time.monotonic()
    recipe = Recipe(threads=1)
    recipe.scores(recipe.pixels(photos[0]))
    ready = time.monotonic() - started
    times: list[list[float]] = [[] for _ in slots]
    end = time.monotonic() + seconds

    def work(slot: int) -> None:
        while (began := time.monotonic()) < end:
            recipe.scores(recipe.pixels(photos[(slot + len(times[slot])) % len(photos)]))
            times[slot].append(time.monotonic() - began)

    threads = [threading.Thread(target=work, args=(slot,)) for slot in slots]
    before, started = time.process_time(), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, cpu = time.monotonic() - started, time.process_time() - before
    durations = sorted(duration for slot in times for duration in slot)
    print(json.dumps({
        "photos": len(durations), "seconds": took, "cpu_seconds": cpu, "ready_seconds": ready,
        "p50_ms": statistics.median(durations) * 1e3, "p99_ms": durations[int(len(durations) * 0.99)] * 1e3,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
