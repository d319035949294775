"""A package is written from a real store; what checks it is in test_verify.py."""

import base64
import hashlib
import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from service.cli import main
from service.detector import Detector
from service.errors import ErrorCode, FaunalensError
from service.evidence.verify import verify
from service.store.batches import Batches, Entry, NewBatch
from service.store.decision_log import DecisionLog
from service.store.kinds import Kind
from service.store.photos import Photos
from tests.conftest import SAMPLES
from tests.filled import LISTING, OTHER, Filled
from tests.service.evidence.packages import manifest_of, run


def test_what_is_in_it(package: Path, filled: Filled, detector: Detector) -> None:
    manifest = manifest_of(package)
    tusk, chips, bananas = manifest["photos"]
    data = (SAMPLES / "tusk-single.jpg").read_bytes()
    assert (package / tusk["path"]).read_bytes() == data
    assert tusk["sha256"] == hashlib.sha256(data).hexdigest() == tusk["record"]["image"]["sha256"]
    assert tusk["record"]["scores"] == json.loads((package / tusk["result"]).read_text())["scores"]
    assert [one["decision"] for one in tusk["decisions"]] == ["reject", "undo", "confirm"]
    assert [one["event"] for one in tusk["custody"]] == ["received", "judged", "reject", "undo", "confirm", "exported"]
    times = [one["at"] for one in tusk["custody"]]
    assert times[:-1] == sorted(times[:-1]) and all(time.endswith("+00:00") for time in times)
    assert tusk["recomputed"]["same_model"] and tusk["recomputed"]["largest_difference"] < 1e-4
    assert (package / tusk["heatmaps"][0]["path"]).read_bytes()[:4] == b"\x89PNG"
    assert manifest["models"] == [
        {"name": detector.contract.name, "sha256": detector.contract.sha256, "contract": "model.json"}
    ]
    (policy,) = manifest["policies"]
    assert hashlib.sha256((package / policy["thresholds"]).read_bytes()).hexdigest() == policy["sha256"]
    assert chips["decisions"] == [] and (bananas["path"], bananas["heatmaps"]) == (None, [])
    log = json.loads((package / "log.json").read_text())
    assert [link["seq"] for link in log["links"] if "entry" in link] == [1, 3, 4]
    assert "bob" not in json.dumps(log), "what was decided about other listings stays at home"
    assert log["head"] == DecisionLog(filled.database).verify().head


def test_the_cover_page_is_harmless_and_alone(package: Path) -> None:
    page = (package / "index.html").read_text()
    assert "Ann &lt;b&gt;" in page and "<b>" not in page
    assert not re.search(r"<(script|link|iframe|object)|https?://|url\(", page)
    assert "confirm ivory, by ann at " in page and page.count("none stands") == 2
    assert "default-src 'none'" in page and page.count("data:image/png;base64,") == 2
    assert page.index("<details>") < page.index("<img"), "photos are shown when asked for"


def test_a_key_where_no_store_is_says_which_settings_place_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAUNALENS_STORE", str(tmp_path / "none"))
    done = run("key")
    assert done.exit_code == 3 and "its folder is not there (FAUNALENS_STORE or FAUNALENS_EVIDENCE_KEY" in done.stderr
    assert not (tmp_path / "none").exists()
    monkeypatch.setenv("FAUNALENS_EVIDENCE_KEY", str(tmp_path / "key.pem"))
    assert run("key").exit_code == 0 and (tmp_path / "key.pem").is_file()


def test_the_cover_page_tells_the_decision_that_stands(filled: Filled, tmp_path: Path) -> None:
    run("key")
    for kind in (Kind.UNSURE, Kind.REJECT, Kind.UNDO):
        filled.decide("tusks.jpg", "ann", kind)
    out = tmp_path / "package"
    assert run("export", "--item", str(filled.ids["tusks.jpg"]), "--out", str(out)).exit_code == 0
    assert "unsure, by ann at" in (out / "index.html").read_text() and verify(out).problems == []


def test_photos_that_wait_to_be_judged_are_told(filled: Filled, tmp_path: Path) -> None:
    run("key")
    Batches(filled.database).add(NewBatch("", "default"), [Entry("late.jpg", OTHER)])
    done = run("export", OTHER, "--out", str(tmp_path / "package"))
    assert done.exit_code == 4 and "1 photos were not judged, or not yet" in done.output


def test_a_zip_holds_the_same(package: Path, filled: Filled, tmp_path: Path) -> None:
    out = tmp_path / "package.zip"
    assert run("export", "--item", str(filled.ids["tusk-single.jpg"]), "--out", str(out)).exit_code == 0
    assert verify(out).problems == []
    with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("manifest.json", archive.read("manifest.json"))
    assert verify(out).problems == ["manifest.json is there 2 times"]
    out.write_bytes(out.read_bytes()[:1000])
    assert verify(out).problems[0].startswith("it cannot be read as a package")


def test_a_photo_that_was_exchanged_in_the_store_is_not_exported(filled: Filled, tmp_path: Path) -> None:
    run("key")
    with filled.database.reading() as session:
        batch = session.execute(text("SELECT batch_id FROM items LIMIT 1")).scalar_one()
    filled.photos.write(batch, 0, (SAMPLES / "leaves.jpg").read_bytes())
    out = tmp_path / "package"
    done = run("export", LISTING, "--out", str(out))
    assert done.exit_code == 1 and "not the one that was judged" in done.output
    assert not out.exists() and not list(tmp_path.glob(".package*"))


@pytest.mark.parametrize(
    "words",
    [("evidence", "export", LISTING), ("decisions", "export", "label-studio"), ("decisions", "export", "training")],
)
def test_photos_under_a_key_that_is_not_given_are_not_told_as_gone(
    words: tuple[str, ...], filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("key")
    with filled.database.reading() as session:
        batch = session.execute(text("SELECT batch_id FROM items LIMIT 1")).scalar_one()
    filled.decide("tusk-single.jpg", "ann", Kind.REJECT)
    filled.decide("tusks.jpg", "ann", Kind.REJECT)
    seal, data = bytes(32), (SAMPLES / "tusks.jpg").read_bytes()
    Photos(filled.folder / "photos", seal).write(batch, 1, data)
    Photos(filled.folder / "photos", seal).write(batch, 2, (SAMPLES / "ivory-bangles.jpg").read_bytes())
    out = tmp_path / "out"
    done = CliRunner().invoke(main, [*words, "--out", str(out)])
    assert done.exit_code == 3 and "sealed by a key that is not FAUNALENS_PHOTO_KEY" in done.output
    assert not list(tmp_path.glob("*out*"))
    monkeypatch.setenv("FAUNALENS_PHOTO_KEY", base64.b64encode(seal).decode())
    assert CliRunner().invoke(main, [*words, "--out", str(out)]).exit_code in (0, 4) and out.is_dir()


def test_words_that_are_no_text_are_kept_as_the_store_keeps_them(filled: Filled, tmp_path: Path) -> None:
    run("key")
    with filled.database.writing() as session:
        session.execute(text("UPDATE items SET listing_id = :id"), {"id": "L\ufffd9"})
    out = tmp_path / "package"
    for listing in ("L\udcff9", "L\t9"):
        done = run("export", listing, "--out", str(out), "--by", "Ann\udcff", "--reference", "\udcff")
        assert done.exit_code == 4, done.output
        manifest = manifest_of(out)
        assert [manifest[name] for name in ("subject", "created_by", "reference")] == [
            "listing L\ufffd9", "Ann\ufffd", "\ufffd",
        ]  # fmt: skip
        shutil.rmtree(out)


@pytest.mark.parametrize("name", ["package", "package.zip"])
def test_nobody_else_may_read_it(name: str, filled: Filled, tmp_path: Path) -> None:
    run("key")
    before = os.umask(0o022)
    try:
        run("export", OTHER, "--out", str(tmp_path / name))
    finally:
        os.umask(before)
    assert (tmp_path / name).stat().st_mode & 0o077 == 0 and verify(tmp_path / name).problems == []


def test_what_cannot_be_done_is_told(filled: Filled, tmp_path: Path) -> None:
    out = str(tmp_path / "p.zip")
    assert "evidence key" in run("export", LISTING, "--out", out).output
    run("key")
    key = filled.folder / "evidence-key.pem"
    before = key.read_bytes()
    assert run("key").exit_code == 0 and key.read_bytes() == before, "a key is never replaced"
    assert run("export", "no such", "--out", out).exit_code == 1
    done = run("export", "--item", str(filled.ids["tusks.jpg"]), "--item", "99", "--out", out)
    assert done.exit_code == 1 and "no judged photo 99" in done.output
    assert run("export", "--out", out).exit_code == run("export", "--item", str(2**63), "--out", out).exit_code == 2
    assert run("export", LISTING, "--out", str(tmp_path)).exit_code == 2
    key.chmod(0o644)
    done = run("export", LISTING, "--out", out)
    assert done.exit_code == 3 and "chmod 600" in done.output


def test_a_photo_that_is_refused_now_is_exported_without_heat_maps(
    filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("key")

    def refused(*_: object) -> None:
        raise FaunalensError(ErrorCode.DECODE_DEADLINE, "It takes too long.")

    monkeypatch.setattr("service.evidence.package._again", refused)
    out = tmp_path / "package"
    assert run("export", "--item", str(filled.ids["tusks.jpg"]), "--out", str(out)).exit_code == 0
    (photo,) = manifest_of(out)["photos"]
    assert (photo["heatmaps"], photo["recomputed"]) == ([], None) and (out / photo["path"]).is_file()
    assert verify(out).problems == []
