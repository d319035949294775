import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from service.answer import FileAnswer, FileFailure
from service.detector import Detector
from service.errors import StartError
from service.scanning import scan as bulk
from service.scanning.entries import LeftOut
from tests.conftest import SAMPLES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures with odd endings in nested folders, hidden ones, a text file and a broken picture."""
    root = tmp_path / "photos"
    (root / "deep" / "er").mkdir(parents=True)
    (root / ".hidden").mkdir()
    for name in ("a.JPG", "deep/b.Jpeg", "deep/er/c.jpe", ".hidden/d.jpg", ".e.jpg"):
        shutil.copy(SAMPLES / "bananas.jpg", root / name)
    (root / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n1234 no chunk of any kind")
    (root / "notes.txt").write_text("not a picture")
    return root


def test_folders_are_walked(folder: Path) -> None:
    found = [os.path.relpath(path, folder) for path in bulk.find_files([str(folder)], LeftOut())]
    assert found == ["a.JPG", "broken.png", "deep/b.Jpeg", "deep/er/c.jpe"]
    assert list(bulk.find_files(["no/such", "x.txt"], LeftOut())) == ["no/such", "x.txt"]


def test_a_folder_has_links_and_pipes(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    for name, target in (("linked.jpg", "a.JPG"), ("none.jpg", "none"), ("more.jpg", "deep"), ("pip.jpg", "pipe.jpg")):
        (folder / name).symlink_to(target)
    found = [os.path.relpath(path, folder) for path in bulk.find_files([str(folder)], LeftOut())]
    assert found == ["a.JPG", "broken.png", "deep/b.Jpeg", "deep/er/c.jpe", "linked.jpg", "none.jpg"]


def test_what_is_left_out_is_counted(folder: Path) -> None:
    for name in ("a.heic", "b.HEIC", "c.zip", "deep/nothing"):
        (folder / name).touch()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "more.jpg").symlink_to("deep")
    left_out = LeftOut()
    assert str(left_out) == ""
    list(bulk.find_files([str(folder)], left_out))
    head, _, told = str(left_out).partition(": ")
    wanted = {
        "2 .heic", "1 .zip", "2 hidden", "1 .txt", "1 without an ending", "1 pipes and devices", "1 linked folders",
    }  # fmt: skip
    assert head == "9 left out" and set(told.split(", ")) == wanted


def test_many_kinds_are_told_in_few_words() -> None:
    left_out = LeftOut()
    assert not any(left_out.takes(f"x.{number}") for number in range(1000)) and left_out.takes("x.jpg")
    assert str(left_out).startswith("1000 left out: 900 others, ") and str(left_out).endswith(" of other kinds")


def test_only_one_run_writes_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with bulk.alone(path):
        # reading it over lets go of nothing
        bulk.resume(path, bulk.Tally())
        with pytest.raises(StartError, match="another scan writes to"), bulk.alone(path):
            pass
    with bulk.alone(path), bulk.alone(None), bulk.alone(Path(os.devnull)), bulk.alone(Path(os.devnull)):
        pass


def test_a_folder_that_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def scandir(path: str) -> "os._ScandirContextManager[str]":
        if path.endswith("deep"):
            raise PermissionError
        return whole(path)

    whole = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    found = [os.path.relpath(path, folder) for path in bulk.find_files([str(folder)], LeftOut())]
    assert found == ["a.JPG", "broken.png", "deep"]


def test_one_bad_file_is_a_failure_line(folder: Path, detector: Detector) -> None:
    files = [*bulk.find_files([str(folder)], LeftOut()), str(folder / "missing.jpg"), str(folder)]
    records = list(bulk.scan(detector, detector.policy(None), files, 2))
    assert [record.file for record in records] == files
    codes = {os.path.basename(r.file): r.error.code for r in records if isinstance(r, FileFailure)}
    assert codes == {"broken.png": "corrupt_image", "missing.jpg": "unreadable_file", "photos": "unreadable_file"}
    tally = bulk.Tally()
    for record in records:
        tally.add(record)
    assert (tally.clear, tally.failures, tally.exit_code) == (3, 3, 8)


def test_scan_gives_the_endpoints_answer(detector: Detector) -> None:
    path = SAMPLES / "tusks.jpg"
    record = next(bulk.scan(detector, detector.policy(None), [str(path)], 1))
    assert isinstance(record, FileAnswer)
    direct = detector.answer(path.read_bytes(), "r", detector.policy(None))
    assert record.scores == direct.scores and record.findings == direct.findings


def test_a_large_file_is_not_read_whole(tmp_path: Path, detector: Detector) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as stream:
        stream.truncate(10**10)
    record = next(bulk.scan(detector, detector.policy(None), [str(path)], 1))
    assert isinstance(record, FileFailure) and record.error.code == "too_many_bytes"


def test_few_files_are_held_at_a_time(detector: Detector) -> None:
    taken: list[int] = []

    def endless() -> "bulk.Iterator[str]":
        for number in range(1_000_000):
            taken.append(number)
            yield f"missing-{number}"

    run = bulk.scan(detector, detector.policy(None), endless(), 2)
    for _ in range(50):
        next(run)
    run.close()
    assert len(taken) <= 50 + 2 * 4


def test_resume_cuts_a_torn_line(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    records = ({"file": "a.jpg", "verdict": "review"}, {"file": "b.jpg", "error": {"code": "unreadable_file"}})
    whole = "".join(json.dumps(record) + "\n" for record in records)
    for torn in ('{"file": "c.j', '{"file": "c.jpg"}'):
        output.write_text(whole + torn)
        tally = bulk.Tally()
        done = bulk.resume(output, tally)
        assert output.read_text() == whole
        assert [*filter(bulk.unrecorded(done), ("a.jpg", "b.jpg", "c.jpg"))] == ["c.jpg"]
        assert tally == bulk.Tally(review=1, failures=1)
    assert bulk.resume(tmp_path / "new.jsonl", bulk.Tally()) == {}


def test_resume_leaves_a_file_alone_that_no_scan_wrote(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    record = '{"file": "a.jpg", "verdict": "clear"}\n'
    for other in ("[1]\n", "file\n", "\xff\xd8\xff", record + '{"file": "c.jpg", "verdict": "sold"}\n' + record):
        output.write_text(other)
        with pytest.raises(StartError, match="is no record; nothing was changed"):
            bulk.resume(output, bulk.Tally())
        assert output.read_text() == other


def test_folders_lie_deeper_in_each_other_than_python_calls(tmp_path: Path) -> None:
    """Made, and removed again, from inside: what removes temporary folders calls itself, too."""
    depth, before = sys.getrecursionlimit() + 50, Path.cwd()
    os.chdir(tmp_path)
    try:
        for _ in range(depth):
            os.mkdir("a")
            os.chdir("a")
        Path("b.jpg").touch()
        found = [os.path.relpath(path, tmp_path) for path in bulk.find_files([str(tmp_path)], LeftOut())]
        os.remove("b.jpg")
        for _ in range(depth):
            os.chdir("..")
            os.rmdir("a")
    finally:
        os.chdir(before)
    assert found == ["a/" * depth + "b.jpg"]


def test_a_file_at_which_something_unexpected_happens_ends_no_run(
    detector: Detector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(self: Detector, data: bytes, *_: object, **__: object) -> None:
        raise (MemoryError if data == good else LookupError)("why")

    good = (SAMPLES / "tusks.jpg").read_bytes()
    monkeypatch.setattr(Detector, "answer", answer)
    files = [str(SAMPLES / name) for name in ("bananas.jpg", "tusks.jpg", "none.jpg")]
    records = list(bulk.scan(detector, detector.policy(None), files, 2))
    codes = [record.error.code for record in records if isinstance(record, FileFailure)]
    assert codes == ["internal_error", "internal_error", "unreadable_file"]
    assert "LookupError: why" in caplog.text and "why" not in str(records) and "bananas" not in caplog.text
