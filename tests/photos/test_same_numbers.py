"""On real photos: one way through the house, and the shipped thresholds leave ordinary photos alone."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.detector import Detector
from service.scanning.scan import scan
from training.evaluating.evaluation import Scored, score_photos
from training.photos.manifest import Photo, read_manifest, select


@pytest.fixture(scope="module")
def val(photos: Path) -> list[Photo]:
    """Every seventh photo of the val split, and every ivory one."""
    everything = select(read_manifest(photos), "val")
    return [photo for i, photo in enumerate(everything) if i % 7 == 0 or "ivory" in photo.labels]


@pytest.fixture(scope="module")
def scored(detector: Detector, val: list[Photo]) -> Scored:
    """The sample, judged by ``evaluate``'s own function."""
    return score_photos(detector, val)


def test_endpoint_scan_and_evaluate_agree(
    client: TestClient, detector: Detector, val: list[Photo], scored: Scored
) -> None:
    chosen = val[:: max(1, len(val) // 40)]
    by_file = dict(zip((p.file for p in val), scored.answers, strict=True))
    scanned = scan(detector, detector.policy(None), [str(p.path) for p in chosen], 2)
    for photo, record in zip(chosen, scanned, strict=True):
        reply = client.post(
            "/v1/detect", content=photo.path.read_bytes(), headers={"Content-Type": "image/webp"}
        ).json()
        assert reply["scores"] == record.scores == by_file[photo.file].scores  # type: ignore[union-attr]
        assert reply["verdict"] == record.verdict == by_file[photo.file].verdict  # type: ignore[union-attr]


def test_ivory_is_found_and_others_are_not(scored: Scored) -> None:
    ivory = np.array(["ivory" in photo.labels for photo in scored.photos])
    ordinary = np.array([photo.group in ("listing", "live_animal") for photo in scored.photos])
    assert scored.found("ivory")[ivory].mean() >= 0.6
    assert scored.found()[ordinary].mean() <= 0.03


def test_manifest_and_exclusions_are_sound(photos: Path) -> None:
    exclusions = Path(__file__).parents[2] / "training" / "exclusions.csv"
    with exclusions.open(newline="") as stream:
        rows: Iterator[dict[str, str]] = iter(list(csv.DictReader(stream)))
    files = {photo.file for photo in read_manifest(photos)}
    assert all(row["file"] in files and row["why"] for row in rows)
