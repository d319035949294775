"""Photos to measure with, made by us: docs/samples enlarged, with grain and fine texture, at the quality of phones.

``python -m benchmarks.photos FOLDER`` writes them all.
"""

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent
# name: width, height, format, quality
KINDS = {
    "jpeg-0.3mp": (640, 480, "JPEG", 85),
    "jpeg-2mp": (1632, 1224, "JPEG", 90),
    "jpeg-12mp": (4032, 3024, "JPEG", 90),
    "png-0.3mp": (640, 480, "PNG", 0),
    "webp-2mp": (1632, 1224, "WEBP", 85),
}


def make(kind: str, folder: Path, count: int = 8) -> list[Path]:
    """``count`` different photos of ``kind`` in ``folder``, made once; a JPEG of 2 megapixels has about 0.6 MB."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{kind}-{index}.{KINDS[kind][2].lower()}" for index in range(count)]
    for index, path in enumerate(paths):
        if not path.exists():
            path.write_bytes(encode(kind, index))
    return paths


def encode(kind: str, seed: int) -> bytes:
    """One photo."""
    width, height, form, quality = KINDS[kind]
    samples = sorted((ROOT / "docs/samples").glob("*.jpg"))
    rng = np.random.default_rng(seed)
    with Image.open(samples[seed % len(samples)]) as image:
        rgb = image.convert("RGB")
    left, top = (int(rng.integers(0, side // 8 + 1)) for side in rgb.size)
    large = np.asarray(rgb.crop((left, top, *rgb.size)).resize((width, height), Image.Resampling.BICUBIC))
    grain = sum(_noise(rng, width, height, step) * strength for step, strength in ((1, 2.0), (2, 5.0), (4, 5.0)))
    buffer = io.BytesIO()
    options = {"compress_level": 6} if form == "PNG" else {"quality": quality}
    Image.fromarray(np.clip(large + grain, 0, 255).astype(np.uint8)).save(buffer, form, **options)
    return buffer.getvalue()


def _noise(rng: np.random.Generator, width: int, height: int, step: int) -> np.ndarray:
    """Noise float32 ``[height, width, 1]`` whose grains are ``step`` pixels wide."""
    small = Image.fromarray(rng.normal(0, 1, (height // step, width // step)).astype(np.float32))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))[..., None]


def small_photos(folder: Path, count: int) -> Iterator[Path]:
    """``count`` JPEGs of 0.3 megapixels for a bulk run: 64 different ones, under ``count`` names."""
    base = [path.read_bytes() for path in make("jpeg-0.3mp", folder / "base", 64)]
    many = folder / f"many-{count}"
    many.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        path = many / f"{index:06d}.jpg"
        if not path.exists():
            path.write_bytes(base[index % len(base)])
        yield path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for name in KINDS:
        made = make(name, folder)
        print(name, sum(path.stat().st_size for path in made) // len(made), "bytes on average")
