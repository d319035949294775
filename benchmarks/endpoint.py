"""End-to-end ``POST /v1/detect`` beside the bare loop (decode + infer on all cores), interleaved in one run.

Usage: ``python -m benchmarks.endpoint [--rounds 5] [--seconds 6] [--concurrency 8]``; needs ``wrk`` on the PATH. The
photo is a rendered sample enlarged to 1600 x 1200 pixels with noise, JPEG quality 90 (2 megapixels). The load
generator runs on the same cores as the service, so the ratio understates the service.
"""

import argparse
import io
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.servers import wait_ready
from service.detector import Detector
from service.runtime.cores import available_cores
from service.settings import Settings

ROOT = Path(__file__).parent.parent
PORT = 8765


def photo() -> bytes:
    """A 2-megapixel JPEG made from our own sample."""
    with Image.open(ROOT / "docs/samples/tusks.jpg") as image:
        large = np.asarray(image.resize((1600, 1200), Image.Resampling.BICUBIC)).astype(np.int16)
    noise = np.random.default_rng(0).normal(0, 4, large.shape)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(large + noise, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def bare_loop(detector: Detector, data: bytes, seconds: float) -> float:
    """Pictures per second of decode + infer on all cores, without HTTP."""
    counts = [0] * available_cores()
    end = time.monotonic() + seconds

    def work(slot: int) -> None:
        while time.monotonic() < end:
            detector.see(data)
            counts[slot] += 1

    threads = [threading.Thread(target=work, args=(slot,)) for slot in range(len(counts))]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - started)


def endpoint(script: str, seconds: float, concurrency: int) -> tuple[float, float, float]:
    """Requests per second, median and 99th percentile latency in milliseconds, by wrk."""
    command = ["wrk", "-t1", f"-c{concurrency}", f"-d{seconds:.0f}s", "--latency", "-s", script,
               f"http://127.0.0.1:{PORT}/v1/detect"]  # fmt: skip
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in text, text
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))  # type: ignore[union-attr]
    return rate, _milliseconds(text, "50%"), _milliseconds(text, "99%")


def _milliseconds(text: str, name: str) -> float:
    value, unit = re.search(rf"{name}\s+([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(value) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def main() -> None:
    """Run the rounds and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--concurrency", type=int, default=8)
    options = parser.parse_args()
    data, detector = photo(), Detector(Settings())
    server = subprocess.Popen([sys.executable, "-c", "from service.cli import main; main()", "serve"],
                              env={**os.environ, "FAUNALENS_PORT": str(PORT), "FAUNALENS_AUTH": "off"},
                              cwd=ROOT)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        picture, script = Path(folder) / "photo.jpg", Path(folder) / "post.lua"
        picture.write_bytes(data)
        script.write_text(
            f'local f = io.open("{picture}", "rb")\nwrk.method = "POST"\nwrk.body = f:read("*a")\n'
            'wrk.headers["Content-Type"] = "image/jpeg"\n'
        )
        try:
            wait_ready(server, f"http://127.0.0.1:{PORT}/readyz")
            ratios = [_round(detector, data, str(script), options) for _ in range(options.rounds)]
        finally:
            server.terminate()
            server.wait()
    print(f"endpoint / bare loop: median {statistics.median(ratios):.3f}, "
          f"min {min(ratios):.3f}, max {max(ratios):.3f}")  # fmt: skip


def _round(detector: Detector, data: bytes, script: str, options: argparse.Namespace) -> float:
    before = bare_loop(detector, data, options.seconds / 2)
    rate, median, p99 = endpoint(script, options.seconds, options.concurrency)
    bare = (before + bare_loop(detector, data, options.seconds / 2)) / 2
    latency = f"p50 {median:.0f} ms   p99 {p99:.0f} ms"
    print(f"bare {bare:6.1f}/s   endpoint {rate:6.1f}/s   {latency}   ratio {rate / bare:.3f}")
    return rate / bare


if __name__ == "__main__":
    main()
