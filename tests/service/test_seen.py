import numpy as np

from service.detector import Detector
from tests.conftest import SAMPLES


def test_what_has_no_map_answers_where_there_is_no_finding(detector: Detector, tusk: bytes) -> None:
    default, sensitive = detector.policy("default"), detector.policy("sensitive")
    chips = detector.see((SAMPLES / "wood-chips.jpg").read_bytes(), policy=default)
    assert chips.scores.maps.size == 0 and not default.judge(chips.probabilities)
    assert chips.shows(default) and not chips.shows(sensitive), "by that one it has findings, and needs boxes"
    assert all(detector.see(tusk, policy=policy).shows(policy) for policy in (default, sensitive))


def test_keeps_no_picture_and_gives_the_same_boxes(detector: Detector, tusk: bytes) -> None:
    seen = detector.see(tusk, heatmap=True)
    kept = seen.to_keep()
    assert kept.view is None and kept.scores.embeddings.size == 0 and kept.probabilities == seen.probabilities
    assert np.array_equal(kept.scores.maps, seen.scores.maps)
    policy = detector.policy("sensitive")
    first, again = detector.answer(seen, "x", policy), detector.answer(kept, "x", policy)
    assert first.findings and again.findings == first.findings
    assert again.cached and first.cached is None and again.timing_ms["infer"] == 0
