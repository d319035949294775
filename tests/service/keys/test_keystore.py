import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from service.errors import StartError
from service.keys.key import Key, Scope, new_key
from service.keys.keystore import KeyStore

NOW = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    made = KeyStore(tmp_path / "sub" / "keys?.db")
    made.create_file()
    return made


def some_key(name: str = "pipeline") -> Key:
    return new_key(name, frozenset({Scope.DETECT, Scope.ADMIN}), NOW, rate=2.5, burst=9, quota=100)[1]


def test_keys_come_back_as_they_were(store: KeyStore) -> None:
    keys = [some_key("one"), some_key("two")]
    for key in keys:
        store.add(key)
    store.create_file()
    store.check()
    assert KeyStore(store.path).all_keys() == keys


def test_only_the_owner_may_read(store: KeyStore) -> None:
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    store.path.chmod(0o640)
    with pytest.raises(StartError, match="chmod 600"):
        store.check()


def test_the_file_holds_no_secret(store: KeyStore) -> None:
    text, key = new_key("x", frozenset({Scope.DETECT}), NOW)
    store.add(key)
    _, _, secret = text.split("_", 2)
    assert len(secret) == 43 and secret.encode() not in store.path.read_bytes()


def test_revoking(store: KeyStore) -> None:
    key = some_key()
    store.add(key)
    assert store.revoke(key.id, NOW) and not store.revoke(key.id, NOW) and not store.revoke("none", NOW)
    assert store.all_keys()[0].revoked == NOW


def test_usage_adds_up(store: KeyStore) -> None:
    store.add_usage("2026-01-01", {"a": 3, "b": 1})
    store.add_usage("2026-01-01", {"a": 4})
    store.add_usage("2026-01-02", {"a": -1})
    assert store.usage("2026-01-01") == {"a": 7, "b": 1} and store.usage("2026-01-02") == {"a": -1}


def test_several_may_write_at_once(store: KeyStore) -> None:
    threads = [
        threading.Thread(target=lambda: [store.add_usage("2026-01-01", {"a": 1}) for _ in range(5)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    store.add(some_key())
    for thread in threads:
        thread.join()
    assert store.usage("2026-01-01") == {"a": 20} and len(store.all_keys()) == 1


def test_a_missing_store_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="faunalens keys create"):
        KeyStore(tmp_path / "none.db").check()


@pytest.mark.parametrize("damage", ["noise", "middle", "half", "index"])
def test_a_damaged_store_is_named(store: KeyStore, damage: str) -> None:
    for number in range(12):
        store.add(some_key(f"key {number} " + "x" * 2000))
    data = store.path.read_bytes()
    broken = {
        "noise": b"no database" * 1000,
        "middle": data[:5000] + b"\xff" * 6000 + data[11000:],
        "half": data[: len(data) // 2],
        "index": data[:8192] + bytes(4096) + data[12288:],
    }
    store.path.write_bytes(broken[damage])
    with pytest.raises(StartError, match="damaged"):
        store.check()


def test_a_store_with_a_scope_of_a_later_version_is_named(store: KeyStore) -> None:
    store.add(some_key())
    with sqlite3.connect(store.path) as other:
        other.execute("UPDATE keys SET scopes = 'detect fly'")
    other.close()
    with pytest.raises(StartError, match="damaged"):
        store.all_keys()


def test_a_store_that_another_holds_is_not_called_damaged(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads that it is damaged, removes it."""
    monkeypatch.setattr("service.keys.keystore._WAIT_SECONDS", 0.01)
    other = sqlite3.connect(store.path)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StartError, match="cannot be used: database is locked"):
        store.add_usage("2026-01-01", {"a": 1})
    other.close()
    store.add_usage("2026-01-01", {"a": 1})


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_store_that_cannot_be_written_is_named(store: KeyStore, closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Usage is written beside it, too; whoever runs tests as root may write everywhere."""
    path = store.path if closed == "file" else store.path.parent
    monkeypatch.setattr(os, "access", lambda asked, mode: asked != path or not mode & os.W_OK)
    with pytest.raises(StartError, match="its folder must be writable"):
        store.check()


def test_another_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.touch(0o600)
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE photos (id)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StartError, match="not a key store"):
        KeyStore(path).check()
    KeyStore(path).create_file()
    assert path.read_bytes() == before, "`keys create` leaves it as it was"


def test_a_store_of_a_later_version_is_refused(store: KeyStore) -> None:
    with sqlite3.connect(store.path) as other:
        other.execute("PRAGMA user_version = 2")
    other.close()
    with pytest.raises(StartError, match="not a key store of this version"):
        store.add(some_key())


def test_a_store_that_was_taken_away_is_not_begun_anew_by_a_count(store: KeyStore) -> None:
    """Its owner is about to put another one there."""
    store.path.unlink()
    with pytest.raises(StartError, match="cannot be used"):
        store.add_usage("2026-01-01", {"a": 1})
    assert not store.path.exists()


def test_a_relative_path_is_one_from_where_the_service_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    relative = KeyStore(Path("keys.db"))
    monkeypatch.chdir("/")
    relative.create_file()
    relative.check()
    assert (tmp_path / "keys.db").is_file()


def test_a_place_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="cannot be made"):
        KeyStore(tmp_path / "file" / "keys.db").create_file()


def test_a_store_that_a_full_disk_left_empty_is_called_that_and_can_be_begun_anew(store: KeyStore) -> None:
    store.path.write_bytes(b"")
    for use in (store.check, store.all_keys):
        with pytest.raises(StartError, match="is empty, as a full disk leaves it: put a backup in its place"):
            use()
    store.create_file()
    store.check()
    assert store.all_keys() == []
