"""Tasks go out with predictions, annotations come in as decisions; taking a file twice changes nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.detector import Detector
from service.exports import label_studio
from service.store import cases
from service.store.cases import Case
from service.store.decision_log import DecisionLog
from service.store.kinds import Kind
from tests.conftest import SAMPLES
from tests.filled import Filled
from training.photos.intake import read_photos


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["decisions", *words])


def answered(task: dict[str, Any], *choices: str, by: Any = 3) -> dict[str, Any]:
    """The task as Label Studio gives it back."""
    result = [{"from_name": "category", "to_name": "image", "type": "choices", "value": {"choices": list(choices)}}]
    return {"id": 1, "data": task["data"], "annotations": [{"completed_by": by, "result": result if choices else []}]}


@pytest.fixture
def tasks(filled: Filled, tmp_path: Path) -> list[dict[str, Any]]:
    done = run("export", "label-studio", "--out", str(tmp_path / "tasks"), "--prefix", "/moderation/")
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads((tmp_path / "tasks" / "tasks.json").read_text())
    return found


def test_tasks_have_photo_and_predictions(
    tasks: list[dict[str, Any]], filled: Filled, tmp_path: Path, detector: Detector
) -> None:
    assert [task["data"]["file"] for task in tasks] == ["tusk-single.jpg", "tusks.jpg", "ivory-bangles.jpg"]
    tusk = tasks[0]
    path = tusk["data"]["image"].removeprefix("/data/local-files/?d=moderation/")
    assert (tmp_path / "tasks" / path).read_bytes() == (SAMPLES / "tusk-single.jpg").read_bytes()
    (prediction,) = tusk["predictions"]
    assert prediction["model_version"].startswith(detector.contract.name) and 0 < prediction["score"] <= 1
    choice, box, *_ = prediction["result"]
    assert choice["value"]["choices"] == ["ivory"] == box["value"]["rectanglelabels"]
    value = box["value"]
    assert 0 <= value["x"] <= value["x"] + value["width"] <= 100.0 and value["height"] > 0
    names = {element.get("value") for element in ElementTree.parse(tmp_path / "tasks" / "config.xml").iter("Choice")}
    assert names == {*detector.contract.ids, "none", "unsure", "escalate"}


def test_tasks_are_written_as_they_come(filled: Filled, tmp_path: Path) -> None:
    """A year's tasks in one list would fill the memory."""
    (case, *_) = cases.in_state(filled.database, "open")
    path, sizes = tmp_path / "out" / "tasks.json", list[int]()

    def read() -> Iterator[Case]:
        for _ in range(40):
            yield case
            sizes.append(path.stat().st_size)

    assert label_studio.write(read(), filled.photos, ["ivory"], tmp_path / "out", "x") == (40, 0)
    assert 0 < sizes[20] < sizes[-1] and len(json.loads(path.read_text())) == 40
    assert label_studio.write([], filled.photos, ["ivory"], tmp_path / "none", "x") == (0, 0)
    assert json.loads((tmp_path / "none" / "tasks.json").read_text()) == []


def test_a_folder_whose_name_is_no_text(filled: Filled, tmp_path: Path) -> None:
    out = tmp_path / "x\udcff"
    assert run("export", "label-studio", "--out", str(out)).exit_code == 0
    (first, *_) = json.loads((out / "tasks.json").read_text())
    assert first["data"]["image"].startswith("/data/local-files/?d=x%FF/photos/")


def test_annotations_become_decisions(tasks: list[dict[str, Any]], filled: Filled, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    again = answered(tasks[0], "ivory")
    again["annotations"].append({**answered(tasks[0], "coral")["annotations"][0], "was_cancelled": True})
    answers = [again, answered(tasks[1], "none", by={"id": 4, "email": "x@example.com"}), answered(tasks[2])]
    file.write_text(json.dumps(answers))
    done = run("import", "label-studio", str(file))
    assert (done.exit_code, done.output) == (0, "2 decided, 1 without an answer\n")
    log = [json.loads(entry.entry) for entry in DecisionLog(filled.database).page(0, 9)]
    assert [(one["decision"], one["category"], one["moderator"], one["file"]) for one in log] == [
        ("confirm", "ivory", "label-studio:3", "tusk-single.jpg"), ("reject", None, "label-studio:4", "tusks.jpg"),
    ]  # fmt: skip
    assert run("import", "label-studio", str(file)).output == "2 unchanged, 1 without an answer\n"
    file.write_text(json.dumps([answered(tasks[0], "none"), answered(tasks[2], "unsure")]))
    done = run("import", "label-studio", str(file), "--moderator", "panel")
    assert done.exit_code == 4 and "1 decided" in done.output and "task 1: This photo has been decided" in done.output
    assert DecisionLog(filled.database).verify().wrong is None


def test_what_does_not_fit_is_refused(tasks: list[dict[str, Any]], filled: Filled, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    other = answered(tasks[0], "ivory")
    other["data"] = {**other["data"], "sha256": "0" * 64}
    huge = answered(tasks[0], "ivory")
    huge["data"] = {**huge["data"], "item": 2**64}
    file.write_text(json.dumps([other, answered(tasks[0], "gold"), answered(tasks[0], "ivory", "coral"), {"data": 1,
                                "annotations": [{"result": [{}]}]}, huge]))  # fmt: skip
    done = run("import", "label-studio", str(file))
    assert done.exit_code == 4 and [line.split(":")[0] for line in done.output.splitlines()[1:]] == [
        "task 1", "task 2", "task 3", "task 4", "task 5",
    ]  # fmt: skip
    assert DecisionLog(filled.database).page(0, 9) == []
    file.write_text("{}")
    assert run("import", "label-studio", str(file)).exit_code == 3


def test_what_label_studio_gives_back_trains_too(tasks: list[dict[str, Any]], filled: Filled, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_text(json.dumps([answered(tasks[0], "ivory"), answered(tasks[1], "none")]))
    (tmp_path / "tasks").rename(tmp_path / "moderation")
    assert [photo.labels for photo in read_photos(tmp_path, file)] == [("ivory",), ()]


def test_decided_ones_go_out_with_their_answer(filled: Filled, tmp_path: Path) -> None:
    filled.decide("tusk-single.jpg", "ann", Kind.CONFIRM, "ivory")
    filled.decide("tusks.jpg", "ann", Kind.REJECT)
    for kind in (Kind.ESCALATE, Kind.REJECT, Kind.UNDO):
        filled.decide("ivory-bangles.jpg", "ann", kind)
    assert run("export", "label-studio", "--out", str(tmp_path / "t"), "--state", "all").exit_code == 0
    found = json.loads((tmp_path / "t" / "tasks.json").read_text())
    answers = [task["annotations"][0]["result"][0]["value"]["choices"] for task in found]
    assert answers == [["ivory"], ["none"], ["escalate"]]
    done = run("import", "label-studio", str(tmp_path / "t" / "tasks.json"))
    assert (done.exit_code, done.output) == (0, "3 unchanged\n"), "what stands is what counts"


def test_nothing_to_write_leaves_no_folder(filled: Filled, tmp_path: Path) -> None:
    for _ in range(2):
        done = run("export", "label-studio", "--state", "unsure", "--out", str(tmp_path / "none"))
        assert done.exit_code == 1 and "nothing to write" in done.output
    assert not list(tmp_path.glob("*none*"))
