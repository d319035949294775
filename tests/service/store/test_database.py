import hashlib
import json
import sqlite3
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, text

from service import chain, store
from service.errors import ErrorCode, FaunalensError, StartError
from service.store.batches import Batches, Entry, NewBatch
from service.store.database import FILE, Database, migrations, open_database
from service.store.postgresql import _encryption
from service.store.tables import Base


def newest() -> str | None:
    """The last migration."""
    return ScriptDirectory(str(Path(store.__file__ or "").parent / "migrations")).get_current_head()


def test_the_migrations_make_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_opening_again_changes_nothing(database: Database, tmp_path: Path) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    again = open_database(url if url.startswith("postgresql") else None, tmp_path)
    with again.reading() as session:
        assert session.execute(text("SELECT version_num FROM alembic_version")).all() == [(newest(),)]
    again.close()


def test_errors_tell_no_values(database: Database) -> None:
    with pytest.raises(FaunalensError) as caught, database.reading() as session:
        session.execute(text("SELECT * FROM nowhere WHERE name = :name"), {"name": "photo-of-ann.jpg"})
    assert "nowhere" in str(caught.value.__cause__) and "ann" not in str(caught.value.__cause__)


def test_an_older_log_is_chained_anew_unless_it_was_changed(database: Database, tmp_path: Path) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    one, two = (
        json.dumps({"seq": seq, "decided_at": "2026-01-01T00:00:00+00:00", "moderator": "a", "decision": "reject"})
        for seq in (1, 2)
    )
    with database.engine.begin() as connection:
        config = migrations(connection)
        command.downgrade(config, "0004")
        for seq, entry in enumerate((one, two), 1):
            row = {"seq": seq, "entry": entry}
            connection.execute(text("INSERT INTO decisions VALUES (:seq, 7, :entry, '')"), row)
        command.downgrade(config, "-1")
    first, second = _hashes(database)
    assert first == hashlib.sha256(f"{chain.BEGINNING}\n{one}".encode()).hexdigest()
    assert second == hashlib.sha256(f"{first}\n{two}".encode()).hexdigest()
    open_database(url if url.startswith("postgresql") else None, tmp_path).close()
    assert _hashes(database)[-1] == chain.link(chain.link(chain.BEGINNING, chain.digest(one)), chain.digest(two))
    with database.reading() as session:
        assert session.execute(text("SELECT moderator, decided_at FROM decisions WHERE seq = 2")).one() == (
            "a",
            1767225600,
        )
    with database.engine.begin() as connection:
        config = migrations(connection)
        command.downgrade(config, "0004")
        command.downgrade(config, "-1")
        connection.execute(text("UPDATE decisions SET entry = '{}' WHERE seq = 1"))
    with pytest.raises(StartError, match="entry 1 of the log of decisions was changed"):
        open_database(url if url.startswith("postgresql") else None, tmp_path)


def test_older_perceptual_hashes_stay_and_are_those_of_the_whole(database: Database) -> None:
    Batches(database).add(NewBatch("", "default", "uploads"), [Entry("photo.jpg")])
    with database.engine.begin() as connection:
        config = migrations(connection)
        command.downgrade(config, "0006")
        connection.execute(text("INSERT INTO fingerprints SELECT id, 1, 2, 3, 4 FROM items"))
        command.upgrade(config, "head")
        item, *row = connection.execute(text("SELECT item_id, part, band_0, band_3 FROM fingerprints")).one()
        assert row == [0, 1, 4]
        connection.execute(text("INSERT INTO fingerprints VALUES (:item, 1, 9, 9, 9, 9)"), {"item": item})
        command.downgrade(config, "0006")
        assert connection.execute(text("SELECT band_0 FROM fingerprints")).scalars().all() == [1]
        command.upgrade(config, "head")


def _hashes(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.execute(text("SELECT hash FROM decisions ORDER BY seq")).scalars())


def test_the_file_is_the_owners_and_writes_ahead(tmp_path: Path) -> None:
    opened = open_database(None, tmp_path)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    with opened.reading() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1
    opened.close()


def test_the_room_that_a_large_batch_took_beside_the_file_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.store.database._WAL_BYTES", 100_000)
    opened = open_database(None, tmp_path)
    batches, ahead = Batches(opened), tmp_path / f"{FILE}-wal"
    batches.add(NewBatch("", "default"), [Entry(f"{number}.jpg") for number in range(20_000)])
    assert ahead.stat().st_size > 4_200_000
    for _ in range(2):
        batches.add(NewBatch("", "default"), [Entry("a.jpg")])
    assert ahead.stat().st_size <= 100_000
    opened.close()


def test_who_waits_to_write_does_not_keep_others_from_reading(tmp_path: Path) -> None:
    opened = open_database(None, tmp_path)

    def write() -> None:
        with opened.writing() as session:
            session.execute(text("SELECT 1"))

    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(41) as pool:
        writing = [pool.submit(write) for _ in range(40)]
        time.sleep(0.5)
        try:
            assert pool.submit(Batches(opened).newest, None, 1, 1.0).result(20) == []
        finally:
            other.execute("COMMIT")
            other.close()
        for one in writing:
            one.result()
    opened.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("no url", "not a database URL"),
        ("mysql://user:hidden@host/x", "must begin with postgresql://"),
        ("postgresql://user:hidden@127.0.0.1:1/x", "cannot be used: .*connection to host 127.0.0.1 and port 1"),
        ("postgresql://user:secret@hidden@127.0.0.1:1/x", "write those in the password as %40"),
        ("postgresql://user:secret@host:hidden/x", "not a database URL"),
        ("postgresql://127.0.0.1:1/x", "names no user"),
        ("postgresql://user:hidden@127.0.0.1:1/x?sslmode=on", "sslmode is one of disable, allow, prefer, require"),
        ("postgresql://user:hidden@127.0.0.1:1/x?sslmode=require", "cannot be used: .*connection to host 127.0.0.1"),
        (
            "postgresql://user:hidden@127.0.0.1:1/x?sslmode=verify-full&sslrootcert=/nowhere",
            "sslrootcert cannot be used",
        ),
        (
            "postgresql://user:hidden@127.0.0.1:1/x?channel_binding=require",
            "the parameters channel_binding; those",
        ),
    ],
)
def test_urls_that_do_not_work_are_told_without_the_password(url: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(StartError, match=message) as caught:
        open_database(url, tmp_path)
    assert "hidden" not in str(caught.value)


def test_a_url_says_whether_connections_are_encrypted(database: Database, tmp_path: Path) -> None:
    """The server of the tests has no TLS."""
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no connections")
    url = database.engine.url.render_as_string(False)
    for mode in ("disable", "prefer", "allow"):
        open_database(f"{url}?sslmode={mode}", tmp_path).close()
    for mode in ("require", "verify-ca", "verify-full"):
        with pytest.raises(StartError, match="cannot be used: Server refuses SSL"):
            open_database(f"{url}?sslmode={mode}", tmp_path)


@pytest.mark.parametrize(("mode", "by_name"), [("verify-ca", False), ("verify-full", True)])
def test_a_certificate_is_looked_at_where_the_url_says_so(mode: str, by_name: bool) -> None:
    context = _encryption(mode, None)
    assert isinstance(context, ssl.SSLContext) and context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is by_name


def test_a_database_that_is_not_there_is_told(database: Database, tmp_path: Path) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite makes it")
    url = database.engine.url.set(database="elsewhere").render_as_string(False)
    with pytest.raises(StartError, match=r'cannot be used: database "elsewhere" does not exist$'):
        open_database(url, tmp_path)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database" * 100)
    with pytest.raises(StartError, match="cannot be used: file is not a database"):
        open_database(None, tmp_path)


def test_a_database_of_a_later_version_is_told(database: Database, tmp_path: Path) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    url = None if database.engine.dialect.name == "sqlite" else database.engine.url.render_as_string(False)
    with pytest.raises(StartError, match="migrated by a later version"):
        open_database(url, tmp_path)


def test_failures_have_a_code_and_change_nothing(database: Database) -> None:
    with pytest.raises(FaunalensError) as caught, database.writing() as session:
        session.execute(text("INSERT INTO findings VALUES (1, 'x', 'review', 0.5, 0.5)"))
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM findings")).scalar() == 0


def test_a_connection_that_is_reset_while_it_is_made_is_a_failure_with_a_code() -> None:
    def reset() -> NoReturn:
        raise ConnectionResetError  # as pg8000 does while a server restarts

    database = Database(create_engine("postgresql+pg8000://", creator=reset))
    with pytest.raises(FaunalensError) as caught, database.reading() as session:
        session.execute(text("SELECT 1"))
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE


def test_a_server_that_ends_once_all_was_read_at_once_harms_nothing(database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no server")
    killer = create_engine(database.engine.url)

    def kill(*_: object) -> None:
        with killer.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:mine, 5000)"), {"mine": mine})

    with database.reading(one_look=True) as session:
        assert session.execute(text("SHOW transaction_isolation")).scalar() == "repeatable read"
        mine = session.execute(text("SELECT pg_backend_pid()")).scalar()
        event.listen(database.engine, "reset", kill, once=True)
    killer.dispose()
    with database.reading() as session:
        assert session.execute(text("SHOW transaction_isolation")).scalar() == "read committed"
