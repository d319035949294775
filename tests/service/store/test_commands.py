"""Every command that reads the store does so with either database."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.cli import main
from service.detector import Detector
from service.store.database import Database
from service.store.kinds import Kind
from tests.filled import LISTING, Filled, fill
from tests.service.exports.test_label_studio import answered


@pytest.fixture
def filled(database: Database, tmp_path: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch) -> Filled:
    """Photos of which one is confirmed, one rejected, and one still waits."""
    monkeypatch.setenv("FAUNALENS_STORE", str(tmp_path))
    if database.engine.dialect.name == "postgresql":
        url = database.engine.url.set(drivername="postgresql")
        monkeypatch.setenv("FAUNALENS_DATABASE", url.render_as_string(hide_password=False))
    made = fill(tmp_path, detector, database)
    made.decide("tusk-single.jpg", "ann", Kind.CONFIRM, "ivory")
    made.decide("tusks.jpg", "bob", Kind.REJECT)
    return made


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == code, done.output
    return done.output


def test_tasks_by_state_there_and_back(filled: Filled, tmp_path: Path) -> None:
    files = {}
    for state in ("open", "decided"):
        out = tmp_path / state
        run("decisions", "export", "label-studio", "--out", str(out), "--state", state)
        files[state] = [task["data"]["file"] for task in json.loads((out / "tasks.json").read_text())]
    assert files == {"open": ["ivory-bangles.jpg"], "decided": ["tusk-single.jpg", "tusks.jpg"]}
    (task,) = json.loads((tmp_path / "open" / "tasks.json").read_text())
    back = tmp_path / "back.json"
    back.write_text(json.dumps([answered(task, "ivory")]))
    run("decisions", "import", "label-studio", str(back))
    run("decisions", "export", "label-studio", "--out", str(tmp_path / "after"), "--state", "decided")
    assert len(json.loads((tmp_path / "after" / "tasks.json").read_text())) == 3


def test_training_set_evidence_and_log(filled: Filled, tmp_path: Path) -> None:
    run("decisions", "export", "training", "--out", str(tmp_path / "set"))
    rows = (tmp_path / "set" / "manifest.csv").read_text().splitlines()
    assert len(rows) == 3 and sum("ivory" in row.split(",") for row in rows[1:]) == 1
    run("evidence", "key")
    # the photo of one of the listing is not kept
    told = run("evidence", "export", LISTING, "--out", str(tmp_path / "package"), "--by", "ann", code=4)
    assert "3 photos, 1 decisions" in told
    run("evidence", "verify", str(tmp_path / "package"))
    assert "2 entries" in run("audit", "verify")
