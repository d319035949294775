import json
import subprocess
from pathlib import Path

import pytest

from service.keys.key import parse
from tests.conftest import ROOT
from tests.process import COMMAND
from tests.service.test_cli import run


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAUNALENS_KEYS", str(tmp_path / "keys.db"))
    return tmp_path / "keys.db"


def listed() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run("keys", "list", "--format", "json")[1])
    return found


def test_create_list_revoke() -> None:
    limits = ("--rate", "2.5", "--burst", "7", "--quota", "1000")
    code, out, err = run("keys", "create", "--name", "night run", "--scope", "detect", "--scope", "review", *limits)
    key_id, secret = parse(out.strip()) or ("", "")
    assert code == 0 and key_id in err and secret not in err
    (row,) = listed()
    assert row["id"] == key_id and row["name"] == "night run" and row["scopes"] == ["detect", "review"]
    assert (row["rate"], row["burst"], row["quota"], row["used_today"], row["revoked"]) == (2.5, 7, 1000, 0, None)
    table = run("keys", "list")[1]
    assert key_id in table and secret not in table
    assert run("keys", "revoke", key_id)[0] == 0 and listed()[0]["revoked"]
    for again in (key_id, out.strip()):
        code, _, err = run("keys", "revoke", again)
        assert code == 1 and f"no key {key_id} is in force" in err and secret not in err


def test_wrong_usage(path: Path) -> None:
    for wrong in (
        ["--scope", "detect"], ["--name", "x"], ["--name", "x", "--scope", "all"],
        ["--name", "a\nb", "--scope", "admin"], ["--name", "x", "--scope", "admin", "--rate", "0"],
        ["--name", "x", "--scope", "admin", "--burst", "3"],
        ["--name", "x", "--scope", "admin", "--rate", "nan"], ["--name", "x", "--scope", "admin", "--rate", "inf"],
        ["--name", "x", "--scope", "admin", "--rate", "1e-320"],
        ["--name", "x", "--scope", "admin", "--quota", "99999999999999999999"],
    ):  # fmt: skip
        assert run("keys", "create", *wrong)[0] == 2
    assert not path.exists()


def test_a_key_that_nobody_saw_is_not_in_force(path: Path) -> None:
    def create(redirection: str) -> tuple[int, str]:
        words = [*COMMAND, "keys", "create", "--name", "x", "--scope", "detect"]
        shell = ["sh", "-c", f'"$@" {redirection}', "sh", *words]
        done = subprocess.run(shell, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stderr

    code, told = create(">&-")
    assert code == 3 and "standard output is closed" in told and not path.exists()
    code, told = create(">/dev/full")
    assert code == 1 and "could not be shown, and is revoked" in told and "cannot be written: No space left" in told
    assert create("2>/dev/full")[0] == 1
    assert [bool(key["revoked"]) for key in listed()] == [True, True]


def test_a_missing_or_damaged_store_is_told(path: Path) -> None:
    code, _, err = run("keys", "list")
    assert code == 3 and "there is no key store" in err
    path.write_bytes(b"noise" * 999)
    path.chmod(0o600)
    for arguments in (["list"], ["revoke", "x"], ["create", "--name", "x", "--scope", "admin"]):
        code, _, err = run("keys", *arguments)
        assert code == 3 and "damaged" in err
