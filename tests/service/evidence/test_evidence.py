"""A package is written from a real store and checked; whatever is edited in it afterwards is found."""

import base64
import copy
import hashlib
import json
import os
import re
import shutil
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from service.cli import main
from service.detector import Detector
from service.errors import ErrorCode, FaunalensError
from service.evidence.signing import load_key, public_pem
from service.evidence.verify import verify
from service.store.batches import Batches, Entry, NewBatch
from service.store.decision_log import DecisionLog
from service.store.kinds import Kind
from service.store.photos import Photos
from tests.conftest import SAMPLES
from tests.filled import LISTING, OTHER, Filled


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["evidence", *words])


@pytest.fixture
def package(filled: Filled, tmp_path: Path) -> Path:
    """The package of a listing with a decision, one taken back, and one about another listing between them."""
    filled.decide("tusk-single.jpg", "ann", Kind.REJECT)
    filled.decide("tusks.jpg", "bob", Kind.REJECT)
    filled.decide("tusk-single.jpg", "ann", Kind.UNDO)
    filled.decide("tusk-single.jpg", "ann", Kind.CONFIRM, "ivory")
    assert run("key").exit_code == 0
    out = tmp_path / "package"
    done = run("export", LISTING, "--out", str(out), "--by", "Ann <b>", "--reference", "case 7")
    assert done.exit_code == 4, done.output
    assert "3 photos, 3 decisions" in done.output and "1 photos are not in the store" in done.output
    return out


def manifest_of(package: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((package / "manifest.json").read_text())
    return content


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


def test_it_verifies_offline(package: Path, filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = tmp_path / "signer.pem"
    public.write_text(run("key").stdout)
    head = DecisionLog(filled.database).verify().head
    shutil.move(filled.folder, tmp_path / "elsewhere")
    monkeypatch.setenv("FAUNALENS_STORE", str(tmp_path / "nowhere"))
    done = run("verify", str(package), "--key", str(public), "--head", head)
    assert done.exit_code == 0, done.output
    assert "3 photos" in done.output and "vouches" not in done.output
    assert "vouches" in run("verify", str(package)).output
    assert run("verify", str(package), "--head", "0" * 63 + "1").exit_code == 1
    public.write_text(public_pem(Ed25519PrivateKey.generate().public_key()))
    assert "given key" in run("verify", str(package), "--key", str(public)).output
    public.write_text("no key")
    assert run("verify", str(package), "--key", str(public)).exit_code == 3


def test_any_changed_byte_is_found(package: Path) -> None:
    paths = sorted(path for path in package.rglob("*") if path.is_file())
    assert len(paths) >= 10
    for path in paths:
        data = path.read_bytes()
        for place in sorted({0, len(data) // 3, len(data) // 2, len(data) - 1}):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            assert verify(package).problems, f"{path.name}, byte {place}"
        path.write_bytes(data[:-1])
        assert verify(package).problems, f"{path.name} cut"
        path.unlink()
        assert verify(package).problems, f"{path.name} removed"
        path.write_bytes(data)
    (package / "photos" / "extra.jpg").write_bytes(b"x")
    assert verify(package).problems == ["photos/extra.jpg was added"]
    (package / "photos" / "extra.jpg").unlink()
    (package / "more").symlink_to(package.parent)
    assert verify(package).problems == ["more was added"], "a folder, by a link"
    (package / "more").unlink()
    assert verify(package).problems == []
    original = package / manifest_of(package)["photos"][0]["path"]
    original.rename(package.parent / "outside.jpg")
    original.symlink_to(package.parent / "outside.jpg")
    assert "cannot be read" in verify(package).problems[0], "what leads out of a package is not part of it"


def _swap(manifest: dict[str, Any]) -> None:
    one, two = manifest["photos"][:2]
    one["path"], two["path"] = two["path"], one["path"]


FORGED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "decision": (
        lambda m: m["photos"][0]["decisions"][0].update(decision="confirm"), "log: entry 1 and the manifest disagree",
    ),
    "decision left out": (
        lambda m: m["photos"][0]["decisions"].pop(1), "log: its entries are not the decisions that the manifest tells",
    ),
    "score": (
        lambda m: m["photos"][0]["record"]["scores"].update(ivory=0.999),
        "photo 1: its result is not the one of the manifest",
    ),
    "bytes": (_swap, "photo 1: bytes, result and decisions are not about the same photo"),
    "item": (
        lambda m: m["photos"][0].update(item=99), "photo 1: bytes, result and decisions are not about the same photo",
    ),
    "digest": (
        lambda m: m["photos"][1].update(sha256="0" * 64),
        "photo 2: bytes, result and decisions are not about the same photo",
    ),
    "head": (lambda m: m["log"].update(head="0" * 64), "log: the entries do not lead to its head"),
    "beginning": (lambda m: m["log"].update(before="1" * 64), "log: the entries do not lead to its head"),
    "fingerprint": (
        lambda m: m["signer"].update(fingerprint="0" * 64),
        "the manifest states another fingerprint than its key has",
    ),
    "format": (lambda m: m.update(format="x/2"), "the format 'x/2' is not known here"),
}  # fmt: skip


def sign(package: Path, filled: Filled, manifest: dict[str, Any]) -> None:
    """Puts ``manifest`` into the package as the owner of its key would."""
    data = json.dumps(manifest).encode()
    (package / "manifest.json").write_bytes(data)
    signature = load_key(filled.folder / "evidence-key.pem").sign(data)
    (package / "manifest.sig").write_bytes(base64.b64encode(signature) + b"\n")


def test_what_the_signer_forged_does_not_fit_the_log(package: Path, filled: Filled) -> None:
    """Even the owner of the key cannot make the parts of a package contradict each other unseen."""
    whole = manifest_of(package)
    for name, (edit, problem) in FORGED.items():
        manifest = copy.deepcopy(whole)
        edit(manifest)
        sign(package, filled, manifest)
        assert problem in verify(package).problems, name


def test_what_the_signer_forged_in_the_log_is_found(package: Path, filled: Filled) -> None:
    manifest, path = manifest_of(package), package / "log.json"
    whole = json.loads(path.read_text())
    for place, change, problem in (
        (1, {"seq": 9}, "log: entry 2 is missing"),
        (0, {"entry": whole["links"][2]["entry"]}, "log: the text of entry 1 was changed"),
        (1, {"digest": "0" * 64}, "log: the entries do not lead to its head"),
    ):
        log = copy.deepcopy(whole)
        log["links"][place].update(change)
        path.write_text(json.dumps(log))
        named = next(one for one in manifest["files"] if one["path"] == path.name)
        named.update(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), bytes=path.stat().st_size)
        sign(package, filled, manifest)
        assert problem in verify(package).problems


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


def test_packages_made_to_harm_the_reader(tmp_path: Path) -> None:
    bomb, broken = tmp_path / "bomb.zip", tmp_path / "broken.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("manifest.json", bytes(64 << 20))
    with zipfile.ZipFile(broken, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", bytes(range(256)) * 20)
    data = bytearray(broken.read_bytes())
    data[60:90] = b"\xff" * 30
    broken.write_bytes(data)
    tracemalloc.start()
    try:
        found = [verify(path).problems for path in (bomb, broken)]
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert ["NotImplementedError" in found[0][0], "cannot be read as a package" in found[1][0]] == [True, True]


def test_what_is_told_of_a_package_does_not_move_the_cursor(package: Path) -> None:
    (package / "a\x1b[2J\x9b1;1Hnone changed.jpg").write_bytes(b"x")
    done = run("verify", str(package))
    assert done.exit_code == 1 and "a\ufffd[2J\ufffd1;1Hnone changed.jpg was added" in done.stderr
    assert "\x1b" not in done.output and "\x9b" not in done.output


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
