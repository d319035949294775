import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.answer import significant
from service.contract import load_contract
from service.detector import DEFAULT_MODEL, Detector, shipped_weights
from service.errors import StartError
from service.settings import Settings


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A private copy of the shipped weights."""
    return Path(shutil.copytree(shipped_weights(), tmp_path / "weights"))


def edit(weights: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    path = weights / DEFAULT_MODEL
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    return path


def start(path: Path) -> Detector:
    return Detector(Settings(model=path))


def test_shipped_weights_are_small_and_complete() -> None:
    contract = load_contract(shipped_weights() / DEFAULT_MODEL)
    assert (shipped_weights() / contract.file).stat().st_size <= 20_000_000
    assert contract.ids[:4] == ("ivory", "rhino_horn", "pangolin_scales", "big_cat_skin")
    assert all(c.maturity == ("core" if i < 4 else "experimental") for i, c in enumerate(contract.categories))
    for category in contract.categories:
        points = category.thresholds
        assert 0 < points["sensitive"] <= points["review"] <= points["priority"] < 1


def test_probabilities_follow_the_contract() -> None:
    contract = load_contract(shipped_weights() / DEFAULT_MODEL)
    first = contract.categories[0].calibration
    logits = np.zeros((1, len(contract.categories)), np.float32)
    logits[0, 0] = -first.bias * first.temperature
    assert contract.probabilities(logits)[0, 0] == pytest.approx(0.5)


@given(st.floats(-20, 20, width=32), st.floats(0, 1))
def test_a_probability_that_reaches_its_threshold_has_a_logit_that_reaches_the_least(
    logit: float, share: float
) -> None:
    contract = load_contract(shipped_weights() / DEFAULT_MODEL)
    first, count = contract.ids[0], len(contract.ids)
    probability = significant(float(contract.probabilities(np.full((1, count), logit, np.float32))[0, 0]))
    for threshold in (probability, probability * share):
        assert contract.least_logits({first: threshold})[0] <= logit
        assert (contract.least_logits({first: threshold})[1:] > 1e38).all()


def test_the_least_logits_are_hardly_lower_than_the_thresholds() -> None:
    contract = load_contract(shipped_weights() / DEFAULT_MODEL)
    thresholds = {category.id: category.thresholds["review"] for category in contract.categories}
    found = contract.probabilities(contract.least_logits(thresholds)[None])[0]
    np.testing.assert_allclose(found, list(thresholds.values()), rtol=1e-4)
    assert contract.least_logits({contract.ids[0]: 0})[0] == -np.inf


def test_damaged_weights_stop_the_start(weights: Path) -> None:
    onnx = weights / "faunalens-2-int8.onnx"
    data = bytearray(onnx.read_bytes())
    data[-1] ^= 1
    onnx.write_bytes(bytes(data))
    with pytest.raises(StartError, match="SHA-256"):
        start(weights / DEFAULT_MODEL)
    onnx.unlink()
    with pytest.raises(StartError, match="missing"):
        start(weights / DEFAULT_MODEL)


def test_categories_must_match_the_outputs(weights: Path) -> None:
    path = edit(weights, lambda v: v["categories"].pop())
    with pytest.raises(StartError, match="14 outputs, its contract lists 13"):
        start(path)


def test_the_size_must_match_the_input(weights: Path) -> None:
    path = edit(weights, lambda v: v["preprocessing"].update(size=224))
    with pytest.raises(StartError, match="its contract says 224"):
        start(path)


def test_self_test_must_pass(weights: Path) -> None:
    path = edit(weights, lambda v: v["selftest"]["probabilities"].update(ivory=0.5))
    with pytest.raises(StartError, match="self-test failed: ivory"):
        start(path)
    (weights / "faunalens-2-int8.selftest.png").write_bytes(b"no picture")
    with pytest.raises(StartError, match=r"self-test picture .* cannot be judged"):
        start(path)
    (weights / "faunalens-2-int8.selftest.png").unlink()
    with pytest.raises(StartError, match=r"self-test picture .* cannot be read: No such file"):
        start(path)


def test_scores_that_are_no_numbers_fail_the_self_test(weights: Path) -> None:
    path = edit(weights, lambda v: v["categories"][-1]["calibration"].update(bias=float("nan")))
    with pytest.raises(StartError, match="self-test failed: other_wildlife scored nan"):
        start(path)


def test_unreadable_contracts_say_so(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(StartError, match="no model contract"):
        start(tmp_path / "nothing.json")
    with pytest.raises(StartError, match="cannot be read: Is a directory"):
        start(weights)
    path = edit(weights, lambda v: v.update(surprise=1))
    with pytest.raises(StartError, match="surprise"):
        start(path)


def test_a_temperature_of_zero_is_refused(weights: Path) -> None:
    path = edit(weights, lambda v: v["categories"][0]["calibration"].update(temperature=0.0))
    with pytest.raises(StartError, match=r"calibration\.temperature"):
        start(path)
