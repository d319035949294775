"""``faunalens evaluate`` and ``export`` as commands: what they write, and the exit code of an export that disagrees."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from service.detector import Detector
from training.cli import compose, export
from training.evaluating import pictures, robustness
from training.evaluating.evasions import EVASIONS
from training.exporting import export as exporting
from training.fitting.trainer import Trainer, choose_hardware
from training.measuring import evaluate, thresholds
from training.photos.manifest import Photo
from training.recipe import Recipe

pytestmark = pytest.mark.training
FEW = {name: EVASIONS[name] for name in ("mirror", "noise")}
ALWAYS = {"report.json", "report.md", "precision-recall.png", "confusion.png", "reliability.png"}


def _evaluate(collection: Path, out: Path, *words: str) -> dict[str, object]:
    done = CliRunner().invoke(evaluate, ["--data", str(collection), "--rounds", "5", "--out", str(out), *words])
    assert done.exit_code == 0, done.output
    report: dict[str, object] = json.loads((out / "report.json").read_text(), parse_constant=pytest.fail)
    return report


def test_evaluate_writes_a_report_and_pictures(collection: Path, tmp_path: Path) -> None:
    report = _evaluate(collection, tmp_path)
    assert (report["split"], report["photos"], report["positives_from"]) == ("val", 16, None)
    row = r"\| rhino_horn \| priority \| 0\.0 % \[0\.0, 4\d\.\d\] \| 0\.00 % \[0\.00, 1\d\.\d\d\] \| - \| - \| - \|"
    text = (tmp_path / "report.md").read_text()
    assert re.search(row, text)
    assert "Of 12 photos without a category none may be above the threshold of 1 % FPR" in text
    assert {path.name for path in tmp_path.iterdir()} == ALWAYS
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as picture:
            assert picture.width > 300


def test_evasions_and_the_worst_false_alarms_come_when_asked(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robustness, "EVASIONS", FEW)
    monkeypatch.setattr(pictures, "EVASIONS", FEW)
    _evaluate(collection, tmp_path, "--robustness", "4", "--contact-sheet")
    assert {path.name for path in tmp_path.iterdir()} == ALWAYS | {
        "robustness.csv", "robustness.png", "worst-false-alarms.png",
    }  # fmt: skip
    with (tmp_path / "robustness.csv").open(newline="") as stream:
        found = {(row["category"], row["evasion"], row["strength"]) for row in csv.DictReader(stream)}
    cases = [("none", "0"), *((name, strength) for name in FEW for strength in "123")]
    assert found == {(category, *case) for category in ("ivory", "rhino_horn") for case in cases}


@pytest.mark.parametrize("what", ["evaluate", "thresholds", "compose"])
def test_photos_that_cannot_be_read_are_named_at_once_and_before_the_work(
    collection: Path, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Detector, "answer", lambda *_: pytest.fail("the work began"))
    root = shutil.copytree(collection, tmp_path / "data")
    split = "train" if what == "compose" else "val"
    broken = [f"{split}-ivory-product-0.jpg", f"{split}-none-listing-1.jpg"]
    for name in broken:
        (root / name).write_bytes((root / name).read_bytes()[:900])
    words = ["--photos-per-day", "9", "--review-capacity", "9"] if what == "thresholds" else []
    command = {"evaluate": evaluate, "thresholds": thresholds, "compose": compose}[what]
    done = CliRunner().invoke(command, ["--data", str(root), "--out", str(tmp_path / "out"), *words])
    assert done.exit_code == 1
    assert all(f"{root / name} cannot be used: " in done.output for name in broken)
    assert not (tmp_path / "out").exists()


def test_products_of_one_source_from_every_split(collection: Path, photos: list[Photo], tmp_path: Path) -> None:
    report = _evaluate(collection, tmp_path, "--split", "test", "--positives-from", "source-1")
    products = [photo for photo in photos if photo.labels and photo.source == "source-1"]
    others = [photo for photo in photos if not photo.labels and photo.split == "test"]
    assert {photo.split for photo in products} == {"train", "val"}
    assert report["photos"] == len(products) + len(others)
    assert report["positives_from"] == "source-1"


def test_products_alone_and_none_at_all(collection: Path, tmp_path: Path) -> None:
    head, labels = "file,split,label\n", tmp_path / "labels.csv"
    labels.write_text(f"{head}val-none-listing-0.jpg,val,\nval-none-listing-1.jpg,val,\n")
    assert _evaluate(collection, tmp_path, "--labels", str(labels), "--contact-sheet")["photos"] == 2
    labels.write_text(f"{head}val-ivory-product-0.jpg,val,ivory\n")
    assert _evaluate(collection, tmp_path, "--labels", str(labels), "--contact-sheet")["photos"] == 1
    assert "| ivory | 1\\* | - | - | - | - |" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    ("label", "group", "reason"), [("none", "listing", "no photo"), ("ivory", "product", "every photo")]
)
@pytest.mark.parametrize("what", ["--robustness", "--sizes"])
def test_without_a_product_or_with_nothing_else_there_are_no_evasions_to_measure(
    collection: Path, tmp_path: Path, label: str, group: str, reason: str, what: str
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(f"file,split,label,group\nval-ivory-product-0.jpg,val,{label},{group}\n")
    words = ["--data", str(collection), "--labels", str(labels), "--out", str(tmp_path / "out"), what, "2"]
    done = CliRunner().invoke(evaluate, words)
    assert done.exit_code == 1
    assert f"{reason} of val shows a product: nothing to measure" in done.output
    assert not (tmp_path / "out").exists()


def test_an_export_that_disagrees_with_torch_ends_with_code_1(
    recipe: Recipe, photos: list[Photo], collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = recipe.model_copy(update={"epochs": 0})
    checkpoint = Trainer(short, photos, tmp_path / "run", choose_hardware(short, "cpu", 0)).fit()
    words = ["--checkpoint", str(checkpoint), "--data", str(collection), "--out", str(tmp_path / "weights")]
    words += ["--name", "tiny", "--picture", str(photos[0].path), "--validate", "4"]
    agreed = CliRunner().invoke(export, words)
    assert agreed.exit_code == 0, agreed.output
    assert "largest differences over 4 photos: " in agreed.output
    monkeypatch.setattr(exporting, "largest_difference", lambda *_: {"logits": 0.1, "probabilities": 0.002})
    assert CliRunner().invoke(export, words).exit_code == 1
