"""The table of evasions on the shipped weights and the rendered samples."""

import csv
from dataclasses import astuple, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.detector import Detector
from service.settings import load_settings
from training.evaluating import robustness as module
from training.evaluating.evaluation import Scored, score_photos
from training.evaluating.evasions import EVASIONS
from training.evaluating.pictures import robustness_chart
from training.evaluating.robustness import CLEAN, Row, robustness
from training.evaluating.tables import write_csv
from training.photos.manifest import Photo

SAMPLES = Path(__file__).parents[3] / "docs" / "samples"


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(load_settings())


@pytest.fixture(scope="module")
def scored(detector: Detector) -> Scored:
    paths = sorted(SAMPLES.glob("*.jpg"))
    photos = [
        Photo(path, path.name, "test", ("ivory",) if "tusk" in path.name else (), "product", "k", path.name, "ours")
        for path in paths
    ]
    return score_photos(detector, photos)


@pytest.fixture(scope="module")
def rows(scored: Scored, detector: Detector) -> list[Row]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "EVASIONS", {name: EVASIONS[name] for name in ("mirror", "noise")})
        return robustness(scored, detector, ["ivory", "rhino_horn"], negatives=4)


def test_every_case_has_a_row_for_categories_with_photos(rows: list[Row]) -> None:
    assert {row.category for row in rows} == {"ivory"}
    assert [(row.evasion, row.strength) for row in rows] == [
        (CLEAN, 0), *((name, strength) for name in ("mirror", "noise") for strength in (1, 2, 3)),
    ]  # fmt: skip
    assert all(row.negatives == 4 and row.positives >= 1 for row in rows)


def test_clean_row_is_the_split_itself(rows: list[Row], scored: Scored) -> None:
    scores, positive = scored.column("ivory")
    clean = rows[0]
    assert clean.recall == pytest.approx((scores[positive] > np.max(scores[~positive])).mean())
    assert clean.kept == 1.0 or clean.recall == 0.0


def test_evasions_change_scores(scored: Scored, detector: Detector) -> None:
    changed = module._scores(detector, scored.photos[:2], "noise", 3)
    again = module._scores(detector, scored.photos[:2], "noise", 3)
    assert np.array_equal(changed, again)
    assert not np.allclose(changed, scored.scores[:2], atol=1e-6)


def test_photos_of_a_phone_are_within_the_services_limits_after_every_evasion(
    scored: Scored, detector: Detector, tmp_path: Path
) -> None:
    """Nine tiles of twelve megapixels, or their noise, are not: the measurement broke off after hours."""
    coarse = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    Image.fromarray(coarse).resize((4000, 3000), Image.Resampling.BILINEAR).save(tmp_path / "phone.jpg", quality=80)
    phone = replace(scored.photos[0], path=tmp_path / "phone.jpg")
    for name in ("collage", "noise"):
        assert module._scores(detector, [phone], name, 3).shape == (1, len(scored.categories))


def test_table_is_written_as_csv(rows: list[Row], tmp_path: Path) -> None:
    write_csv(rows, tmp_path / "robustness.csv")
    with (tmp_path / "robustness.csv").open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert len(found) == len(rows)
    assert found[3]["evasion"] == rows[3].evasion
    assert float(found[3]["recall"]) == pytest.approx(rows[3].recall, abs=1e-4)


def test_chart_is_drawn(tmp_path: Path) -> None:
    cases = [(CLEAN, 0), *((name, strength) for name in EVASIONS for strength in (1, 2, 3))]
    made = [Row("ivory", name, strength, 5, 9, 0.8, 0.9, 0.95, 0.01) for name, strength in cases]
    robustness_chart(made, "ivory", tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 10_000


def test_numbers_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 photos without ivory, two of which may score higher unchanged: the threshold lies at 0.5."""
    scores = np.array([0.9, 0.8, 0.6, 0.4, 0.3, *[0.7, 0.6, 0.5], *np.linspace(0, 0.2, 197)])
    positive = np.arange(205) < 5
    photos = [
        Photo(
            Path(str(n)), str(n), "test", ("ivory",) if n < 5 else ("coral",) if n == 5 else (), "g", "k", str(n), "s"
        )
        for n in range(205)
    ]
    coral = np.arange(205) == 5
    both = np.stack([np.zeros(205), scores], 1), np.stack([coral, positive], 1)
    scored = Scored(photos, [], ("coral", "ivory"), *both)
    changed: list[list[str]] = []

    def worse(_: object, some: list[Photo], name: str, strength: int) -> NDArray[np.float64]:
        changed.append([photo.file for photo in some])
        drawn = np.array([int(photo.file) for photo in some])
        return np.stack([np.ones(len(some)), np.where(drawn < 2, 0.1, scores[drawn])], 1)

    monkeypatch.setattr(module, "_scores", worse)
    monkeypatch.setattr(module, "EVASIONS", {"mirror": None})
    clean, *evaded = robustness(scored, cast(Detector, None), ["ivory"], negatives=199)
    assert "5" not in changed[0], "a photo of another product is none of the others"
    assert astuple(clean) == ("ivory", CLEAN, 0, 5, 199, 0.6, 1.0, pytest.approx(1 - 4.5 / 995), pytest.approx(1 / 199))
    assert len(evaded) == 3
    order = np.concatenate([[0.1, 0.1], scores[2:5]])[:, None] - scores[6:][None]
    assert astuple(evaded[0]) == (
        "ivory", "mirror", 1, 5, 199, 0.2, pytest.approx(1 / 3), pytest.approx(((order > 0) + (order == 0) / 2).mean()),
        pytest.approx(1 / 199),
    )  # fmt: skip
