"""What is committed as measured belongs to the shipped weights, is whole, and is what the pages say."""

import csv
import json
import re

import pytest
from PIL import Image

from service.contract import load_contract
from service.detector import DEFAULT_MODEL
from tests.conftest import ROOT
from training.evaluating.evaluation import SMALL
from training.evaluating.evasions import EVASIONS, STRENGTHS
from training.evaluating.robustness import CLEAN
from training.evaluating.sizes import SHARES
from training.evaluating.tables import markdown

WEIGHTS = ROOT / "weights"
CONTRACT = load_contract(WEIGHTS / DEFAULT_MODEL)
RESULTS = ROOT / "docs" / "results" / CONTRACT.name
CORE = [category.id for category in CONTRACT.categories if category.maturity == "core"]
CARD = (WEIGHTS / "MODEL_CARD.md").read_text(encoding="utf-8")


def rows(file: str) -> list[dict[str, str]]:
    with (RESULTS / file).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("name", ["faunalens-1", "faunalens-2", "faunalens-2-int8"])
def test_a_report_is_of_the_weights_beside_it(name: str) -> None:
    report = json.loads((ROOT / "docs" / "results" / name / "report.json").read_text())
    contract = load_contract(WEIGHTS / f"{name}.json")
    assert report["model"] == {"name": name, "sha256": contract.sha256}
    assert report["split"] == "test"
    assert set(report["categories"]) == set(contract.ids)
    assert contract.sha256 in CARD or name != CONTRACT.name


@pytest.mark.parametrize("name", ["faunalens-1", "faunalens-2", "faunalens-2-int8"])
def test_the_tables_are_those_of_the_report_and_name_small_samples(name: str) -> None:
    folder = ROOT / "docs" / "results" / name
    report = json.loads((folder / "report.json").read_text())
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert text == markdown(report)
    for category, row in report["categories"].items():
        assert row["small_sample"] == (row["instances"] < SMALL), category
        assert (f"| {category} | {row['positives']}\\* |" in text) == row["small_sample"], category


def test_weights_are_small_enough_to_ship() -> None:
    assert {path.name for path in WEIGHTS.glob("*.onnx")} >= {CONTRACT.file}
    assert all(path.stat().st_size <= 20_000_000 for path in WEIGHTS.glob("*.onnx"))


def test_every_evasion_is_measured_at_every_strength_for_every_core_category() -> None:
    found = {(row["category"], row["evasion"], int(row["strength"])) for row in rows("robustness.csv")}
    cases = [(CLEAN, 0), *((name, strength) for name in EVASIONS for strength in STRENGTHS)]
    assert len(EVASIONS) >= 12
    assert len(STRENGTHS) == 3
    assert found == {(category, *case) for category in CORE for case in cases}
    assert all(0 <= float(row["recall"]) <= 1 and 0 <= float(row["auroc"]) <= 1 for row in rows("robustness.csv"))


def test_every_size_is_measured() -> None:
    assert [float(row["share"]) for row in rows("sizes.csv")] == list(SHARES)


@pytest.mark.parametrize("picture", ["precision-recall", "confusion", "reliability", "robustness", "sizes"])
def test_pictures_are_there_and_shown_in_the_card(picture: str) -> None:
    with Image.open(RESULTS / f"{picture}.png") as image:
        assert image.width >= 400
    assert f"docs/results/{CONTRACT.name}/{picture}.png" in CARD


def test_the_card_holds_the_report() -> None:
    measured = re.search(r"<!-- measured -->\n(.*?)<!-- /measured -->", CARD, re.DOTALL)
    assert measured is not None
    assert measured[1].strip() == (RESULTS / "report.md").read_text(encoding="utf-8").strip()


def test_the_card_says_how_evasions_and_sizes_went() -> None:
    middle = [row for row in rows("robustness.csv") if (row["category"], row["strength"]) == ("ivory", "2")]
    kept = {row["evasion"]: round(100 * float(row["kept"])) for row in middle}
    text = " ".join(CARD.split())
    assert f"middle strength: {round(sum(kept.values()) / len(kept))} % of the recall" in text
    assert f"stickers ({kept['sticker']} %), collages ({kept['collage']} %)" in text
    shares = {row["share"]: f"{round(100 * float(row['recall']))} %" for row in rows("sizes.csv")}
    assert f"in {shares['0.1']} of the pictures where their box covers a tenth, {shares['0.4']} at 40 %" in text


def test_the_readme_says_what_was_measured() -> None:
    report = json.loads((RESULTS / "report.json").read_text())
    review = report["categories"]["ivory"]["shipped"]["review"]
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"it finds {100 * review['recall']:.0f} % of the ivory photos" in text
    kinds = {name: f"{100 * report['kinds'][f'ivory/{name}']['recall']:.0f} %" for name in ("worked_ivory", "raw_tusk")}
    assert f"worked ivory {kinds['worked_ivory']}, raw tusks {kinds['raw_tusk']}" in text
    assert f"whale, walrus and hippo ivory {100 * report['kinds']['ivory/other_ivory']['recall']:.0f} %" in text
    assert f"{100 * report['groups']['listing']['share']:.1f} % of ordinary listings get a finding" in text
    peak = report["localisation"]["ivory"]["peak_on_object"]["value"]
    assert f"the heat map's peak lies on the piece in {100 * peak:.0f} % of the ivory photos" in text


def test_the_largest_difference_between_torch_and_onnx_is_told() -> None:
    told = re.search(r"differ by at most (\S+) in probability over (\d+) val photos", CARD)
    assert told is not None
    assert float(told[1]) <= 1e-3
    assert int(told[2]) >= 200


def test_no_path_of_the_machine_that_trained_is_shipped() -> None:
    for path in (WEIGHTS / DEFAULT_MODEL, RESULTS / "report.json"):
        assert not re.search(r"/(work|home|root|tmp)/", path.read_text(encoding="utf-8")), path.name
