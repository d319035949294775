"""The network alone, fp32 beside int8 (or any other contracts), interleaved in one run, one core, processor time.

Usage: ``python -m benchmarks.network CONTRACT.json OTHER.json... [--rounds 9]``; the first is what the others are
compared with. Time is of the process, so that what else runs on the machine counts little.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from service.classifier import Classifier
from service.contract import load_contract

_CALLS = 10


def main() -> None:
    """Print milliseconds a call and ratios: medians over the rounds, with their range."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contracts", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    networks = {path.stem: Classifier(load_contract(path), path.parent) for path in options.contracts}
    times: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(options.rounds + 1):
        for name, network in networks.items():
            times[name].append(milliseconds(network))
    first, *_ = times
    for name, taken in times.items():
        ratios = [one / other for one, other in zip(times[first][1:], taken[1:], strict=True)]
        print(f"{name:24} {statistics.median(taken[1:]):6.2f} ms   {statistics.median(ratios):.2f} times as fast "
              f"({min(ratios):.2f} to {max(ratios):.2f})")  # fmt: skip


def milliseconds(network: Classifier) -> float:
    """Processor time of one call."""
    size = network.contract.preprocessing.size
    pixels = np.random.default_rng(0).integers(0, 256, (1, size, size, 3)).astype(np.uint8)
    started = time.thread_time()
    for _ in range(_CALLS):
        network.run(pixels)
    return (time.thread_time() - started) / _CALLS * 1e3


if __name__ == "__main__":
    main()
