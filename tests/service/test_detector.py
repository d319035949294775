import base64
import csv
import gc
import weakref
from dataclasses import replace
from pathlib import Path

import pytest

from service import activation
from service.answer import Box, significant
from service.contract import Contract
from service.detector import DEFAULT_MODEL, PLAIN_MODEL, Detector, model_path, shipped_weights
from service.errors import FaunalensError, StartError
from service.settings import Provider, Settings
from tests.conftest import SAMPLES
from tests.live import until


def test_answer_is_complete(detector: Detector, tusk: bytes) -> None:
    answer = detector.answer(tusk, "r1", detector.policy("sensitive"))
    assert answer.request_id == "r1" and answer.policy.name == "sensitive"
    assert list(answer.scores) == list(detector.contract.ids)
    assert all(0 <= p <= 1 and p == significant(p) for p in answer.scores.values())
    assert (answer.image.width, answer.image.height, answer.image.format) == (480, 360, "JPEG")
    assert set(answer.timing_ms) == {"decode", "infer", "total"}
    assert answer.judged_at.utcoffset() is not None
    assert answer.heatmap_png is None


def test_a_finding_carries_what_a_moderator_needs(detector: Detector, tusk: bytes) -> None:
    finding = next(f for f in detector.answer(tusk, "r", detector.policy("sensitive")).findings)
    assert finding.category == "ivory" and finding.maturity == "core" and finding.name
    assert finding.probability >= finding.threshold
    assert 0 <= finding.box.left < finding.box.right <= 480
    assert 0 <= finding.box.top < finding.box.bottom <= 360
    assert finding.cites and finding.notice_key == "notice.ivory"


def test_look_alikes_of_our_own_are_clear(detector: Detector) -> None:
    with (SAMPLES / "samples.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["label"] == "none"]
    assert len(rows) >= 6
    policy = detector.policy(None)
    verdicts = {row["file"]: detector.answer((SAMPLES / row["file"]).read_bytes(), "r", policy).verdict for row in rows}
    # a cattle horn and candles ask for a look, as the teeth of a big cat
    assert {file for file, verdict in verdicts.items() if verdict != "clear"} <= {"cow-horn.jpg", "candles.jpg"}
    assert "priority" not in verdicts.values()


def test_same_bytes_same_scores(detector: Detector, tusk: bytes) -> None:
    assert detector.see(tusk).probabilities == detector.see(tusk).probabilities


def test_heatmap_of_a_category(detector: Detector, tusk: bytes) -> None:
    assert detector.heatmap(tusk, "ivory").startswith(b"\x89PNG")
    assert detector.heatmap(tusk) == detector.heatmap(tusk, detector._nearest(detector.see(tusk)))
    with pytest.raises(FaunalensError, match="unicorn"):
        detector.heatmap(tusk, "unicorn")


def test_a_finding_has_the_box_and_the_heat_map_of_its_category(detector: Detector, tusk: bytes) -> None:
    seen, ids, boxes = detector.see(tusk, heatmap=True), detector.contract.ids, set[Box]()
    for category in ("ivory", "big_cat_parts", "coral"):
        only = dict.fromkeys(ids, (2.0, 2.0)) | {category: (0.0, 2.0)}
        answer = detector.answer(seen, "r", replace(detector.policy(None), thresholds=only), heatmap=True)
        (finding,) = answer.findings
        edges = activation.box(seen.scores.maps[0, ids.index(category)], 480, 360)
        assert finding.box == Box(**dict(zip(("left", "top", "right", "bottom"), edges, strict=True)))
        assert answer.heatmap_png and base64.b64decode(answer.heatmap_png) == detector.heatmap(tusk, category)
        boxes.add(finding.box)
    assert len(boxes) > 1


def test_the_nearest_category_lacks_least_of_its_threshold(detector: Detector, tusk: bytes) -> None:
    reviews = {category.id: category.thresholds["review"] for category in detector.contract.categories}
    low, high = min(reviews, key=reviews.__getitem__), max(reviews, key=reviews.__getitem__)
    probabilities = {name: review * 0.5 for name, review in reviews.items()} | {
        low: reviews[low] * 0.9,
        high: reviews[high] * 0.8,
    }
    assert probabilities[low] < probabilities[high]
    seen = replace(detector.see(tusk), probabilities=probabilities)
    assert detector._nearest(seen) == low
    policy = replace(detector.policy(None), thresholds={name: (review, 2.0) for name, review in reviews.items()})
    found = detector.candidate(seen, policy)
    assert (found.category, found.probability, found.threshold) == (low, probabilities[low], reviews[low])
    nothing = replace(policy, thresholds=dict.fromkeys(reviews, (2.0, 2.0)))
    assert detector.candidate(seen, nothing).threshold == 1


@pytest.mark.parametrize(
    ("providers", "name"), [(("cpu",), DEFAULT_MODEL), (("openvino", "cpu"), PLAIN_MODEL), (("cuda",), PLAIN_MODEL)]
)
def test_integers_are_for_the_cpu(providers: tuple[Provider, ...], name: str, tmp_path: Path) -> None:
    assert model_path(Settings(providers=providers)) == shipped_weights() / name
    assert model_path(Settings(providers=providers, model=tmp_path / "own.json")) == tmp_path / "own.json"


def test_both_shipped_networks_find_the_same_in_our_samples(detector: Detector) -> None:
    plain = Detector(Settings(model=shipped_weights() / PLAIN_MODEL))
    assert plain.model_name != detector.model_name
    for path in sorted(SAMPLES.glob("*.jpg")):
        one, other = (each.answer(path.read_bytes(), "r", each.policy(None)) for each in (plain, detector))
        core = [{found.category for found in each.findings if found.maturity == "core"} for each in (one, other)]
        assert core[0] == core[1], path
        assert all(abs(one.scores[name] - other.scores[name]) < 0.1 for name in one.scores), path


def test_a_picture_without_a_finding_needs_no_map(detector: Detector, tusk: bytes) -> None:
    bananas = (SAMPLES / "bananas.jpg").read_bytes()
    default = detector.policy("default")
    assert detector.see(bananas).scores.maps.shape[:2] == (1, len(detector.contract.ids))
    assert detector.see(bananas, policy=default).scores.maps.size == 0
    assert detector.see(bananas, heatmap=True, policy=default).scores.maps.size > 0
    assert detector.see(bananas, policy=default).probabilities == detector.see(bananas).probabilities
    assert detector.see(tusk, policy=detector.policy("sensitive")).scores.maps.size > 0


@pytest.mark.parametrize("name", ["default", "sensitive", "core_only"])
def test_answers_are_the_same_with_and_without_the_maps_that_they_do_not_need(detector: Detector, name: str) -> None:
    policy = detector.policy(name)
    for path in sorted(SAMPLES.glob("*.jpg")):
        data = path.read_bytes()
        spared, whole = (detector.answer(data, "r", policy), detector.answer(detector.see(data), "r", policy))
        assert spared.findings == whole.findings and spared.scores == whole.scores


def test_when_a_map_is_wanted_is_worked_out_once_for_a_policy(
    detector: Detector, tusk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = detector.policy(None)
    seen = detector.see(tusk, policy=policy)
    monkeypatch.delattr(Contract, "least_logits")
    assert detector.see(tusk, policy=policy).probabilities == seen.probabilities


def test_six_significant_digits() -> None:
    assert significant(0.123456789) == 0.123457
    assert significant(1.23456789e-7) == 1.23457e-07


def test_a_model_that_nobody_uses_is_gone_without_a_collection(tusk: bytes) -> None:
    gc.disable()
    try:
        parts = (detector := Detector(Settings(decoders=1))), detector.classifier, detector.decoders
        detector.see(tusk)
        left = [weakref.ref(part) for part in parts]
        del parts, detector
        until(lambda: [part() for part in left] == [None, None, None])
    finally:
        gc.enable()


@pytest.mark.parametrize("error", [KeyError("review"), RuntimeError("Symlink loop"), MemoryError()])
def test_whatever_keeps_a_model_from_loading_is_told(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("service.detector.load_policies", fail)
    with pytest.raises(StartError, match=f"the model cannot be loaded: {type(error).__name__}"):
        Detector(Settings())


def test_a_link_that_names_itself_is_told(tmp_path: Path) -> None:
    link = tmp_path / "current.json"
    link.symlink_to("current.json")
    with pytest.raises(StartError, match="Symlink loop"):
        Detector(Settings(model=link))
