"""Recall by size on the shipped weights: a rendered tusk on white, pasted on rendered look-alikes."""

import csv
from dataclasses import astuple
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service.detector import Detector
from service.settings import load_settings
from training.evaluating import sizes as module
from training.evaluating.evaluation import Scored, score_photos
from training.evaluating.pictures import sizes_chart
from training.evaluating.sizes import SizeRow, sizes
from training.evaluating.tables import write_csv
from training.photos.manifest import Photo

pytestmark = pytest.mark.training
SAMPLES = Path(__file__).parents[3] / "docs" / "samples"


def _on_white(path: Path, colour: tuple[int, int, int]) -> Path:
    image = Image.new("RGB", (200, 160), (252, 252, 252))
    ImageDraw.Draw(image).pieslice((30, 20, 170, 140), 200, 340, fill=colour)
    image.save(path)
    return path


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(load_settings())


@pytest.fixture(scope="module")
def scored(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    root = tmp_path_factory.mktemp("sizes")
    tusk, pot = _on_white(root / "tusk.png", (235, 222, 190)), _on_white(root / "pot.png", (40, 90, 160))
    grounds = [SAMPLES / f"{name}.jpg" for name in ("leaves", "almonds", "wood-chips")]
    return score_photos(detector, [
        Photo(tusk, "tusk.png", "test", ("ivory",), "product", "k", "tusk", "ours"),
        Photo(pot, "pot.png", "test", (), "lookalike", "k", "pot", "ours"),
        *(Photo(path, path.name, "test", (), "listing", "k", path.name, "ours") for path in grounds),
    ])  # fmt: skip


def test_every_size_has_a_row(scored: Scored, detector: Detector, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SHARES", (0.05, 0.4))
        rows = sizes(scored, detector, "ivory", rounds=3)
    assert [row.share for row in rows] == [0.05, 0.4]
    assert all((row.objects, row.pictures, row.others) == (1, 3, 1) for row in rows)
    assert all(0 <= row.recall <= 1 for row in rows)
    write_csv(rows, tmp_path / "sizes.csv")
    with (tmp_path / "sizes.csv").open() as stream:
        assert [float(row["share"]) for row in csv.DictReader(stream)] == [0.05, 0.4]


def test_scores_depend_on_size_and_repeat(scored: Scored, detector: Detector) -> None:
    thing = Image.new("RGBA", (60, 60), (235, 222, 190, 255))
    grounds = [photo for photo in scored.photos if photo.group == "listing"]
    small, large = (module._scores(detector, [thing] * 2, grounds, share, 7) for share in (0.02, 0.7))
    assert np.array_equal(small, module._scores(detector, [thing] * 2, grounds, 0.02, 7))
    assert not np.allclose(small, large)


def test_without_objects_to_cut_out_it_says_so(scored: Scored, detector: Detector) -> None:
    with pytest.raises(ValueError, match="nothing of ivory"):
        sizes(scored.subset(~scored.positive.any(axis=1)), detector, "ivory", rounds=1)


def test_chart_is_a_picture(tmp_path: Path) -> None:
    rows = [SizeRow("ivory", 0.05, 3, 9, 0.2, 10, 0.0), SizeRow("ivory", 0.4, 3, 9, 0.8, 10, 0.1)]
    sizes_chart(rows, tmp_path / "sizes.png")
    with Image.open(tmp_path / "sizes.png") as picture:
        assert picture.width > 300


def test_numbers_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100 other photos one may score higher than the threshold, which is 0.5."""
    scores = np.array([0.9, 0.8, 0.5, *[0.1] * 98])
    groups = ["product", *["lookalike"] * 4, *["listing"] * 96]
    photos = [
        Photo(Path(str(n)), str(n), "test", ("ivory",) if n == 0 else (), group, "k", str(n), "s")
        for n, group in enumerate(groups)
    ]
    flags = np.arange(101) == 0
    both = np.stack([np.zeros(101), scores], 1), np.stack([flags & False, flags], 1)
    thing = Image.new("RGBA", (2, 2))
    monkeypatch.setattr(module, "cut", lambda _: thing)

    def pasted(_: object, things: list[object], grounds: list[Photo], share: float, seed: int) -> NDArray[np.float64]:
        assert {photo.group for photo in grounds} == {"listing"}
        high = [0.6, 0.55, 0.5] if seed == module._SEED else [0.7, 0.1, 0.2, 0.3]
        return np.stack([np.ones(len(things)), high], 1)

    monkeypatch.setattr(module, "_scores", pasted)
    rows = sizes(Scored(photos, [], ("coral", "ivory"), *both), cast(Detector, None), "ivory", 3)
    assert [astuple(row) for row in rows] == [
        ("ivory", share, 1, 3, pytest.approx(2 / 3), 4, 0.25) for share in module.SHARES
    ]
