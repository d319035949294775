"""``kill -9`` at random points: nothing lost, nothing twice. The long run is ``python -m tests.service.bulk.kills``."""

import json
from collections import Counter
from pathlib import Path

from service.detector import Detector
from tests.service.bulk.kills import PICTURES, run, run_uploads


def test_killed_while_judging(tmp_path: Path, detector: Detector) -> None:
    pictures = 40
    kills, end = run(tmp_path / "store", pictures, kills=3, seed=2)
    assert any(0 < kill.finished < pictures and kill.running for kill in kills)
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
    found = run_uploads(tmp_path / "store", 40, kills=2, seed=3)
    for upload in found:
        assert all(total == 40 for total in upload.there.values())
        assert set(upload.answered) <= set(upload.there)
    assert found[0].stored > 0
