"""The reported numbers on a handful of answers made by hand."""

import datetime
import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from service.answer import Answer
from service.detector import Detector
from service.imaging import Limits
from training.evaluating.evaluation import (
    Scored,
    category_report,
    confusion,
    group_report,
    most_shown,
    report,
    score_photos,
    worst_false_alarms,
)
from training.evaluating.shares import share_of
from training.evaluating.tables import markdown, without_nan
from training.photos.manifest import Photo

CATEGORIES = ("ivory", "coral")
# labels, group, kind, scores, verdict of ivory
CASES: list[tuple[tuple[str, ...], str, str, tuple[float, float], str | None]] = [
    (("ivory",), "product", "tusk", (0.9, 0.1), "priority"),
    (("ivory",), "product", "tusk", (0.6, 0.1), "review"),
    (("ivory",), "product", "bangle", (0.2, 0.1), None),
    ((), "listing", "phone", (0.7, 0.2), "review"),
    ((), "listing", "phone", (0.1, 0.3), None),
    ((), "listing", "shoe", (0.05, 0.0), None),
    ((), "lookalike", "banana", (0.3, 0.0), None),
]


def _answer(scores: tuple[float, float], verdict: str | None) -> Answer:
    finding = {
        "category": "ivory", "name": "Ivory", "maturity": "core", "probability": scores[0], "threshold": 0.5,
        "verdict": verdict, "box": {"left": 0, "top": 0, "right": 1, "bottom": 1}, "cites": (), "notice_key": "n",
    }  # fmt: skip
    return Answer.model_validate({
        "request_id": "r", "verdict": verdict or "clear", "findings": [finding] if verdict else [],
        "scores": dict(zip(CATEGORIES, scores, strict=True)),
        "image": {"sha256": "0", "format": "JPEG", "width": 1, "height": 1, "frames": 1, "orientation": 1},
        "model": {"name": "m", "sha256": "0"}, "policy": {"name": "p", "version": "1", "sha256": "0"},
        "judged_at": datetime.datetime.now(datetime.UTC), "timing_ms": {},
    })  # fmt: skip


def _photo(number: int, labels: tuple[str, ...], group: str, kind: str) -> Photo:
    return Photo(Path(f"{number}.jpg"), f"{number}.jpg", "test", labels, group, kind, str(number), f"s{number % 2}")


def _contract() -> Detector:
    return cast(Detector, SimpleNamespace(contract=SimpleNamespace(name="m", sha256="0")))


@pytest.fixture
def scored() -> Scored:
    photos = [_photo(number, *case[:3]) for number, case in enumerate(CASES)]
    answers = [_answer(case[3], case[4]) for case in CASES]
    scores = np.array([case[3] for case in CASES])
    positive = np.array([[category in case[0] for category in CATEGORIES] for case in CASES])
    return Scored(photos, answers, CATEGORIES, scores, positive)


def test_findings_and_subsets(scored: Scored) -> None:
    assert scored.found().tolist() == [True, True, False, True, False, False, False]
    assert not scored.found("coral").any()
    part = scored.subset(scored.found("ivory"))
    assert [photo.file for photo in part.photos] == ["0.jpg", "1.jpg", "3.jpg"]
    assert part.column("ivory")[0].tolist() == [0.9, 0.6, 0.7]


def test_category_report_by_hand(scored: Scored) -> None:
    found = category_report(scored, "ivory", 50)
    assert (found["positives"], found["negatives"], found["small_sample"]) == (3, 4, True)
    assert found["auroc"]["value"] == pytest.approx((4 + 3 + 2) / 12)
    low, high = found["auroc"]["interval"]
    assert low <= found["auroc"]["value"] <= high
    assert found["recall_at_1pct_fpr"]["value"] == pytest.approx(1 / 3)
    assert found["ece"] == pytest.approx((0.1 + 0.4 + 0.8 + 0.7 + 0.1 + 0.05 + 0.3) / 7)
    assert found["brier"] == pytest.approx((0.01 + 0.16 + 0.64 + 0.49 + 0.01 + 0.0025 + 0.09) / 7)


def test_shipped_points_by_hand(scored: Scored) -> None:
    shipped = category_report(scored, "ivory", 10)["shipped"]
    assert shipped["review"]["recall"] == pytest.approx(2 / 3)
    assert shipped["review"]["false_positive_rate"] == pytest.approx(1 / 4)
    assert shipped["priority"]["recall"] == pytest.approx(1 / 3)
    assert shipped["priority"]["false_positive_rate"] == 0.0
    expected = (2 / 3 * 0.01) / (2 / 3 * 0.01 + 1 / 4 * 0.99)
    assert shipped["review"]["precision_at_prevalence"]["0.01"] == pytest.approx(expected)


def test_what_was_seen_of_a_few_photos_leaves_it_open(scored: Scored) -> None:
    found = category_report(scored, "ivory", 50)
    ends = found["shipped"]["priority"]["intervals"]
    assert ends["recall"] == share_of(np.array([True, False, False]), ["0", "1", "2"]).interval
    assert ends["false_positive_rate"] == share_of(np.zeros(4, dtype=bool), ["3", "4", "5", "6"]).interval
    assert found["shipped"]["priority"]["precision_at_prevalence"]["0.01"] == 1.0
    low, high = ends["precision_at_prevalence"]["0.01"]
    assert low < 0.05 and high == 1.0
    easy = replace(scored, scores=scored.positive.astype(float))
    recall = category_report(easy, "ivory", 50)["recall_at_1pct_fpr"]
    assert recall["value"] == 1.0 and recall["interval"] == (pytest.approx(0.48, abs=0.03), 1.0)


def test_photos_of_one_instance_are_a_small_sample(scored: Scored) -> None:
    many = [replace(photo, instance=f"i{number % 3}") for number, photo in enumerate(scored.photos * 30)]
    photos = Scored(many, list(scored.answers) * 30, CATEGORIES, np.tile(scored.scores, (30, 1)),
                    np.tile(scored.positive, (30, 1)))  # fmt: skip
    found = category_report(photos, "ivory", 5)
    assert (found["positives"], found["instances"], found["small_sample"]) == (90, 3, True)
    assert group_report(photos)["instances"] == 3
    single = replace(photos, photos=[replace(photo, instance=str(n)) for n, photo in enumerate(many)])
    assert not category_report(single, "ivory", 5)["small_sample"]


def test_more_photos_of_the_same_objects_narrow_no_interval(scored: Scored) -> None:
    copies = Scored([*scored.photos] * 30, [*scored.answers] * 30, CATEGORIES, np.tile(scored.scores, (30, 1)),
                    np.tile(scored.positive, (30, 1)))  # fmt: skip
    found, once = (category_report(one, "ivory", 50) for one in (copies, scored))
    for name in ("auroc", "average_precision", "recall_at_1pct_fpr"):
        assert found[name]["interval"] == pytest.approx(once[name]["interval"]), name
    easy, once = (
        category_report(replace(one, scores=one.positive.astype(float)), "ivory", 5) for one in (copies, scored)
    )
    assert easy["recall_at_1pct_fpr"] == once["recall_at_1pct_fpr"]


def test_the_interval_of_recall_knows_that_few_negatives_set_the_threshold() -> None:
    scores = [*np.linspace(0, 1, 40), 0.2, 0.4, 0.6, 0.8]
    photos = [_photo(number, ("ivory",) if number < 40 else (), "g", "k") for number in range(44)]
    positive = np.array([[number < 40, False] for number in range(44)])
    answers = [_answer((score, 0.0), None) for score in scores]
    wide = Scored(photos, answers, CATEGORIES, np.array([[score, 0.0] for score in scores]), positive)
    recall = category_report(wide, "ivory", 200)["recall_at_1pct_fpr"]
    assert recall["value"] == pytest.approx(0.2)
    assert recall["interval"][1] > 0.5 > share_of(np.arange(40) >= 32, [str(n) for n in range(40)]).interval[1]


def test_a_finding_of_another_category_finds_no_ivory(scored: Scored) -> None:
    first = scored.answers[0]
    other = first.model_copy(update={"findings": (first.findings[0].model_copy(update={"category": "coral"}),)})
    mistaken = replace(scored, answers=[other, *scored.answers[1:]])
    found: dict[str, Any] = report(mistaken, _contract(), 10)
    assert found["kinds"]["ivory/tusk"]["recall"] == 0.5
    assert found["categories"]["ivory"]["shipped"]["review"]["recall"] == pytest.approx(1 / 3)
    assert found["categories"]["ivory"]["shipped"]["priority"]["recall"] == 0.0
    assert (found["groups"]["product"]["with_finding"], found["groups"]["product"]["products_found"]) == (2, 2)
    assert found["confusion"]["ivory"] == {"coral": 1, "ivory": 1, "clear": 1}


def test_a_category_without_photos_has_counts_only(scored: Scored) -> None:
    counts = {"positives": 0, "negatives": 7, "instances": 0, "small_sample": True}
    assert category_report(scored, "coral", 10) == counts


def test_the_category_with_most_photos(scored: Scored) -> None:
    assert most_shown(scored) == "ivory"
    swapped = Scored(scored.photos, scored.answers, CATEGORIES, scored.scores, scored.positive[:, ::-1])
    assert most_shown(swapped) == "coral"


def test_group_report_by_hand(scored: Scored) -> None:
    found = group_report(scored)
    assert (found["photos"], found["products"], found["with_finding"]) == (7, 3, 3)
    assert (found["products_found"], found["others_found"]) == (2, 1)
    assert found["interval"][0] <= found["share"] <= found["interval"][1]


def test_confusion_by_hand(scored: Scored) -> None:
    assert confusion(scored) == {
        "ivory": {"ivory": 2, "clear": 1}, "listing": {"ivory": 1, "clear": 2}, "lookalike": {"clear": 1},
    }  # fmt: skip


def test_worst_false_alarms_come_first_and_are_no_positives(scored: Scored) -> None:
    worst = worst_false_alarms(scored, "ivory", 2)
    assert [(photo.file, value) for photo, value in worst] == [("3.jpg", 0.7), ("6.jpg", 0.3)]
    everything = worst_false_alarms(scored, "ivory", 48)
    assert [photo.file for photo, _ in everything] == ["3.jpg", "6.jpg", "4.jpg", "5.jpg"], "no more than there are"


def test_a_name_with_a_bar_stays_in_its_cell(scored: Scored) -> None:
    photos = [replace(photo, kind="ivory|coral", source="a|b\nc") for photo in scored.photos]
    text = markdown(without_nan({"split": "test", **report(replace(scored, photos=photos), _contract(), 10)}))
    assert "\n| ivory/ivory\\|coral | 3\\* |" in text
    assert "\n| a\\|b\ufffdc | 7\\* |" in text


def test_report_holds_groups_sources_kinds_and_verdicts(scored: Scored) -> None:
    found: dict[str, Any] = report(scored, _contract(), 10)
    assert found["photos"] == 7
    assert {name: part["photos"] for name, part in found["groups"].items()} == {
        "listing": 3, "lookalike": 1, "product": 3,
    }  # fmt: skip
    assert set(found["sources"]) == {"s0", "s1"}
    assert found["kinds"]["ivory/tusk"]["recall"] == 1.0
    bangle = found["kinds"]["ivory/bangle"]
    assert (bangle["photos"], bangle["instances"], bangle["recall"], bangle["recall_at_1pct_fpr"]) == (1, 1, 0.0, 0.0)
    assert bangle["interval"] == (0.0, pytest.approx(0.853, abs=0.01))
    assert found["verdicts"] == {"clear": 4, "review": 2, "priority": 1}
    assert "\n| coral | 0 | | | | | |\n" in markdown(without_nan(found))


class _Detector:
    """Scores ivory by the width of the photo."""

    settings = SimpleNamespace(limits=Limits())
    contract = SimpleNamespace(ids=CATEGORIES)

    def policy(self, name: str | None) -> str:
        return name or "default"

    def answer(self, data: bytes, request_id: str, policy: str) -> Answer:
        assert policy == "strict"
        with Image.open(io.BytesIO(data)) as picture:
            return _answer((picture.width / 10, 0.0), None)


def test_photos_are_scored_in_order(tmp_path: Path) -> None:
    photos = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (number + 1, 1)).save(path)
        labels = ("ivory",) if number == 3 else ()
        photos.append(Photo(path, path.name, "test", labels, "listing", "k", path.name, "s"))
    scored = score_photos(cast(Detector, _Detector()), photos, "strict")
    assert scored.scores[:, 0].tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert np.argwhere(scored.positive).tolist() == [[3, 0]]


def test_a_photo_of_two_categories_with_two_findings(scored: Scored) -> None:
    """The strongest finding and the first label stand in the table; either finding finds its category."""
    ivory = scored.answers[0].findings[0]
    coral = ivory.model_copy(update={"category": "coral", "verdict": "review"})
    both = scored.answers[0].model_copy(update={"findings": (coral, ivory)})
    first = replace(scored.photos[0], labels=("ivory", "coral"))
    found = replace(scored, answers=[both, *scored.answers[1:]], photos=[first, *scored.photos[1:]])
    assert found.found("ivory").tolist() == scored.found("ivory").tolist()
    assert found.found("coral").tolist() == [True, *[False] * 6]
    assert confusion(found)["ivory"] == {"coral": 1, "ivory": 1, "clear": 1}
    assert category_report(found, "ivory", 5)["shipped"]["priority"]["recall"] == pytest.approx(1 / 3)


def test_recall_of_a_kind_is_that_of_its_products_at_1_percent_of_all_others() -> None:
    """Of 200 photos without ivory two may score higher; one of them is called by the same kind."""
    scores = [0.95, 0.85, 0.1, 0.9, 0.8, 0.7, *np.linspace(0, 0.05, 197)]
    photos = [
        _photo(number, ("ivory",) if number < 3 else (), "g", "tusk" if number < 4 else "k") for number in range(203)
    ]
    positive = np.array([[number < 3, False] for number in range(203)])
    answers = [_answer((score, 0.0), "review" if score > 0.82 else None) for score in scores]
    many = Scored(photos, answers, CATEGORIES, np.array([[score, 0.0] for score in scores]), positive)
    assert report(many, _contract(), 5)["kinds"] == {
        "ivory/tusk": {
            "photos": 3, "instances": 3, "recall": pytest.approx(2 / 3),
            "interval": share_of(np.array([True, True, False]), ["0", "1", "2"]).interval,
            "recall_at_1pct_fpr": pytest.approx(2 / 3),
        }
    }  # fmt: skip


@pytest.mark.parametrize("count", [29, 30])
def test_thirty_objects_are_no_small_sample(scored: Scored, count: int) -> None:
    photos = [_photo(number, ("ivory",) if number < count else (), "g", "k") for number in range(count + 2)]
    scores = np.linspace(1, 0, count + 2)[:, None].repeat(2, 1)
    positive = np.array([[number < count, False] for number in range(count + 2)])
    part = Scored(photos, [scored.answers[4]] * (count + 2), CATEGORIES, scores, positive)
    assert category_report(part, "ivory", 5)["small_sample"] == (count < 30)
    star = "\\*" if count < 30 else ""
    assert f"| ivory | {count}{star} |" in markdown(without_nan({"split": "test", **report(part, _contract(), 5)}))
