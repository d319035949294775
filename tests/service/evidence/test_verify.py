"""Whatever is edited in a package is found, by whoever has nothing but the package."""

import base64
import copy
import hashlib
import json
import shutil
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service import chain
from service.evidence.signing import fingerprint, load_key, public_pem, read_public
from service.evidence.verify import verify
from service.store.decision_log import DecisionLog
from tests.filled import Filled
from tests.service.evidence.packages import manifest_of, run


def test_it_verifies_offline(package: Path, filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = tmp_path / "signer.pem"
    public.write_text(run("key").stdout)
    head = DecisionLog(filled.database).verify().head
    shutil.move(filled.folder, tmp_path / "elsewhere")
    monkeypatch.setenv("FAUNALENS_STORE", str(tmp_path / "nowhere"))
    done = run("verify", str(package), "--key", str(public), "--head", head)
    assert done.exit_code == 0, done.output
    named, own = len(manifest_of(package)["files"]), fingerprint(read_public(public.read_text()))
    assert f"3 photos, {named} files, none changed; log head {head}\n" in done.output
    assert done.output.endswith(f"fingerprint {own}\n"), "nothing vouches for it but the given key"
    assert verify(package, head=manifest_of(package)["log"]["before"]).problems == []
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


def test_a_signer_that_names_another_is_found(package: Path, filled: Filled) -> None:
    other, manifest = Ed25519PrivateKey.generate().public_key(), manifest_of(package)
    manifest["signer"].update(public_key=public_pem(other), fingerprint=fingerprint(other))
    sign(package, filled, manifest)
    own = load_key(filled.folder / "evidence-key.pem").public_key()
    report = verify(package, own)
    assert report.problems == ["the manifest names another key than the given one, which signed it"]
    assert report.signer == fingerprint(own)


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


def test_a_decision_or_a_result_about_another_photo_is_found(package: Path, filled: Filled) -> None:
    """All hashes are right, but one of the parts tells of other bytes."""
    manifest, other = manifest_of(package), "0" * 64
    photo, log = manifest["photos"][0], json.loads((package / "log.json").read_text())
    sha256, record = photo["sha256"], copy.deepcopy(photo["record"])
    photo["record"]["image"]["sha256"] = other
    rewrite(package, manifest, photo["result"], photo["record"])
    sign(package, filled, manifest)
    about = ["photo 1: bytes, result and decisions are not about the same photo"]
    assert verify(package).problems == about
    photo["record"] = record
    rewrite(package, manifest, photo["result"], record)
    told, head = {one["seq"]: one for one in photo["decisions"]}, log["before"]
    for link in log["links"]:
        if link["seq"] in told:
            link["entry"] = link["entry"].replace(sha256, other)
            link["digest"] = chain.digest(link["entry"])
        head = chain.link(head, link["digest"])
        told.get(link["seq"], {}).update(hash=head, sha256=other)
    log["head"] = manifest["log"]["head"] = head
    rewrite(package, manifest, "log.json", log)
    sign(package, filled, manifest)
    assert verify(package).problems == about


def rewrite(package: Path, manifest: dict[str, Any], path: str, content: object) -> None:
    """Put ``content`` into a file, and what it is then into the manifest."""
    data = json.dumps(content).encode()
    (package / path).write_bytes(data)
    named = next(one for one in manifest["files"] if one["path"] == path)
    named.update(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "manifest",
    [
        None, b"", b"\xff", b"[]", b"1", b"{}", b'{"signer": []}', b'{"signer": {"public_key": 5}}', b"[" * 100_000,
        b'{"signer": {"public_key": "-----BEGIN"}}',
    ],
)  # fmt: skip
def test_what_is_no_package_is_said_to_be_none(manifest: bytes | None, zipped: bool, tmp_path: Path) -> None:
    content = {"cat.jpg": b"x"} if manifest is None else {"manifest.json": manifest}
    path = tmp_path / "package.zip"
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in content.items():
                archive.writestr(name, data)
    else:
        path.mkdir()
        for name, data in content.items():
            (path / name).write_bytes(data)
    done = run("verify", str(path))
    assert done.exit_code == 1 and "it cannot be read as a package: " in done.stderr


def test_a_package_under_a_password_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", b"{}")
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + place] |= 1
    path.write_bytes(data)
    assert "RuntimeError" in verify(path).problems[0]


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
