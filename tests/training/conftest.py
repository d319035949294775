"""A small synthetic photo collection and a recipe that trains on it in seconds, without network or data."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from training.photos.manifest import COLUMNS, Photo, read_manifest
from training.recipe import Recipe

SHOWN = (("ivory", "product"), ("rhino_horn", "product"), ("none", "listing"), ("none", "lookalike"))
COUNTS = {"train": 3, "val": 4, "test": 1}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _picture(path: Path, seed: int, group: str) -> None:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    image = Image.fromarray(small).resize((112, 88), Image.Resampling.BILINEAR)
    if group == "product":
        image.paste((250, 240, 210), (30, 20, 80, 60))
    image.save(path, quality=92)


def _rows() -> list[dict[str, str]]:
    rows = []
    for split, count in COUNTS.items():
        for label, group in SHOWN:
            for number in range(count):
                name = f"{split}-{label}-{group}-{number}"
                values = (f"{name}.jpg", split, label, group, f"{label} {group}", name, f"source-{number}")
                rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a manifest and its synthetic photos."""
    root = tmp_path_factory.mktemp("collection")
    rows = _rows()
    for seed, row in enumerate(rows):
        _picture(root / row["file"], seed, row["group"])
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return root


@pytest.fixture(scope="session")
def photos(collection: Path) -> list[Photo]:
    """The synthetic photos, read through the manifest."""
    return read_manifest(collection)


@pytest.fixture(scope="session")
def trunk_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random state dict of the tests' trunk."""
    path = tmp_path_factory.mktemp("trunk") / "trunk.pt"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(timm.create_model("mobilenetv2_035", pretrained=False).state_dict(), path)
    return path


@pytest.fixture(scope="session")
def recipe(trunk_weights: Path) -> Recipe:
    """Two epochs of two steps on pictures of 64 x 64."""
    return Recipe.model_validate({
        "trunk": "mobilenetv2_035", "trunk_weights": str(trunk_weights), "size": 64, "batch": 4, "epoch_size": 8,
        "epochs": 2, "precision": "fp32", "ema_decay": 0.5, "frozen_stages": 2,
        "categories": {"ivory": "core", "rhino_horn": "experimental"},
    })  # fmt: skip
