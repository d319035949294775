"""Threads or processes for decoding: the price of a decoder process, and what a hostile picture does to the others.

Usage: ``python -m benchmarks.isolation [--rounds 25]``. First table: decoding in a thread and in a decoder process,
interleaved, median milliseconds. Second: a good photo decoded again and again in one thread while another decodes a
hostile picture, in a thread and in a decoder process; the longest time that the good photo took.
"""

import argparse
import contextlib
import io
import statistics
import threading
import time
from collections.abc import Callable

from PIL import Image

from benchmarks.endpoint import photo
from service import imaging
from service.detector import Detector
from service.errors import FaunalensError
from service.settings import Settings
from tests.service.hostile import bmp_rle, many_scans, many_segments, png_with

KINDS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP")
HOSTILE: dict[str, Callable[[], bytes]] = {
    "JPEG of 4.9 million segments": lambda: many_segments(4_900_000),
    "PNG of 1.2 million texts": lambda: png_with(b"tEXt", b"a\0b", 1_200_000),
    "BMP of 9.5 million runs": lambda: bmp_rle(7_000, 7_000, 1_357),
    "JPEG of 2,000 scans": lambda: many_scans(4_000, 3_000, 2_000),
}


def milliseconds(work: Callable[[], object]) -> float:
    """How long ``work`` took; typed errors are fine."""
    started = time.perf_counter()
    with contextlib.suppress(FaunalensError):
        work()
    return (time.perf_counter() - started) * 1e3


def price(detector: Detector, data: bytes, rounds: int) -> tuple[float, float]:
    """Median milliseconds in a thread and in a decoder process."""
    here, there = [], []
    rule, limits = detector.contract.preprocessing, detector.settings.limits
    for _ in range(rounds):
        here.append(milliseconds(lambda: imaging.prepare(data, limits, rule)))
        there.append(milliseconds(lambda: detector.decoders._isolated(data, rule=rule.model_dump())))
    return statistics.median(here), statistics.median(there)


def harm(detector: Detector, good: bytes, work: Callable[[], object]) -> tuple[float, float]:
    """Longest milliseconds of a good photo while ``work`` runs in another thread, and seconds that ``work`` took."""
    took: list[float] = []
    attack = threading.Thread(target=lambda: took.append(milliseconds(work)))
    attack.start()
    worst = 0.0
    while attack.is_alive():
        worst = max(worst, milliseconds(lambda: detector.decoders.prepare(good, detector.contract.preprocessing)))
        time.sleep(0.005)
    return worst, took[0] / 1e3


def main() -> None:
    """Print both tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    detector, good = Detector(Settings()), photo()
    rule, limits = detector.contract.preprocessing, detector.settings.limits
    print("| 2 megapixels | kB | thread, ms | process, ms |\n|---|---:|---:|---:|")
    for kind in KINDS:
        buffer = io.BytesIO()
        with Image.open(io.BytesIO(good)) as image:
            image.save(buffer, kind)
        here, there = price(detector, buffer.getvalue(), rounds)
        print(f"| {kind} | {len(buffer.getvalue()) / 1e3:.0f} | {here:.1f} | {there:.1f} |")
    print("\n| hostile picture | thread: good photo, ms | for, s | process: good photo, ms | for, s |")
    print("|---|---:|---:|---:|---:|")
    for name, make in HOSTILE.items():
        data = make()
        first = harm(detector, good, lambda data=data: imaging.prepare(data, limits, rule))  # type: ignore[misc]
        second = harm(detector, good, lambda data=data: detector.decoders.prepare(data, rule))  # type: ignore[misc]
        print(f"| {name} | {first[0]:.0f} | {first[1]:.1f} | {second[0]:.0f} | {second[1]:.1f} |")


if __name__ == "__main__":
    main()
