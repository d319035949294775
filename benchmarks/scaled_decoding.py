"""What scaled JPEG decoding does to the scores, against decoding at full size.

Usage: ``python -m benchmarks.scaled_decoding [--data ../shared/data] [--photos 200]``. Photos of the val split are
enlarged five times (the collection is at most 384 pixels wide; phones send thousands), saved as JPEG quality 90, and
scored both ways. Prints the differences in probability, the verdicts that change, and the time.
"""

import argparse
import io
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.detector import Detector
from service.imaging import prepare
from service.settings import Settings
from training.photos.dataset import read_rgb
from training.photos.manifest import Photo, read_manifest, select

FACTOR = 5


def enlarged(photo: Photo) -> bytes:
    """The photo as a large JPEG."""
    picture = read_rgb(photo)
    buffer = io.BytesIO()
    large = picture.resize((picture.width * FACTOR, picture.height * FACTOR), Image.Resampling.BICUBIC)
    large.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def score(detector: Detector, data: bytes, scaled: bool) -> tuple[NDArray[np.float64], float]:
    """Probabilities float64 ``[C]`` and milliseconds spent on decoding and resizing."""
    rule = detector.contract.preprocessing.model_copy(update={"scaled_decoding": scaled})
    started = time.perf_counter()
    _, pixels = prepare(data, detector.settings.limits, rule)
    spent = (time.perf_counter() - started) * 1e3
    return detector.classifier.run(pixels[None]).probabilities[0], spent


def main() -> None:
    """Score the photos both ways and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--photos", type=int, default=200)
    options = parser.parse_args()
    detector = Detector(Settings())
    val = select(read_manifest(options.data), "val")
    ivory = [photo for photo in val if photo.labels]
    others = [photo for photo in val if not photo.labels]
    chosen = [*ivory, *others[:: max(1, len(others) // (options.photos - len(ivory)))]][: options.photos]
    pairs = [(score(detector, data, True), score(detector, data, False)) for data in map(enlarged, chosen)]
    gaps = np.array([np.abs(scaled - full) for (scaled, _), (full, _) in pairs])
    review = np.array([category.thresholds["review"] for category in detector.contract.categories])
    changed = sum(bool(((scaled >= review) != (full >= review)).any()) for (scaled, _), (full, _) in pairs)
    times = np.median([[scaled, full] for (_, scaled), (_, full) in pairs], axis=0)
    print(f"{len(chosen)} photos, {len(ivory)} of products, enlarged {FACTOR} times")
    for name, part in (("every category", gaps), ("ivory alone", gaps[:, 0])):
        worst = np.percentile(part, 99)
        print(f"difference in probability, {name}: mean {part.mean():.5f}, 99 % {worst:.4f}, largest {part.max():.4f}")
    print(f"photos whose findings change: {changed}")
    print(f"decode and resize, median: {times[0]:.1f} ms scaled, {times[1]:.1f} ms at full size")


if __name__ == "__main__":
    main()
