"""``kill -9`` at random points: nothing lost, nothing twice. A longer run is ``python -m tests.service.bulk.kills``."""

import json
from collections import Counter
from pathlib import Path

from service.detector import Detector
from tests.service.bulk.kills import PICTURES, run, run_uploads


def test_killed_while_judging(tmp_path: Path, detector: Detector) -> None:
    pictures = 80
    kills, end = run(tmp_path / "store", pictures, kills=20, seed=2)
    assert len(kills) == 20 and sum(0 < kill.finished < pictures and kill.running > 0 for kill in kills) >= 10
    records = [json.loads(line) for line in end["lines"]]
    assert end["status"]["state"] == "done" and end["status"]["finished"] == pictures
    assert [record["seq"] for record in records] == list(range(1, pictures + 1))
    assert sorted(record["position"] for record in records) == list(range(pictures))
    wanted = [
        detector.answer(path.read_bytes(), "", detector.policy("sensitive")) for path in PICTURES
    ]  # fmt: skip
    for record in records:
        assert record["file"] == f"{record['position']}.jpg"
        assert record["scores"] == wanted[record["position"] % len(PICTURES)].scores
    findings = sorted(
        (number, finding.category) for number in range(pictures) for finding in wanted[number % len(PICTURES)].findings
    )
    assert end["findings"] == findings and findings
    assert end["deliveries"] == Counter({"finding": len({number for number, _ in findings}), "batch.finished": 1})
    assert end["photos"] == 0 and end["code"] == 0


def test_killed_while_coming_in(tmp_path: Path) -> None:
    """A batch is there whole or not at all, and one that was answered is there."""
    found = run_uploads(tmp_path / "store", 40, kills=4, seed=4)
    for upload in found:
        assert all(total == 40 for total in upload.there.values())
        assert set(upload.answered) <= set(upload.there)
    assert 0 < len(found[-1].answered) < len(found), "some were killed before the answer, and some after it"
    assert any(0 < upload.stored < 40 for upload in found)
