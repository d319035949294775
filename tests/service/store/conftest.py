"""A database of each kind: SQLite, and PostgreSQL where a server's programs are installed (Debian: postgresql)."""

import datetime
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from alembic import command
from sqlalchemy import text

from service.answer import Answer
from service.detector import Detector
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.database import Database, migrations, open_database
from service.store.outcomes import Outcome
from service.store.queues import Wanted
from service.store.reviews import Reviews
from service.store.tables import Base
from tests.conftest import SAMPLES
from tests.process import free_port

NAMES = ("tusks.jpg", "tusk-single.jpg", "bananas.jpg", "ivory-bangles.jpg")


def migrated_anew(database: Database, revision: str) -> None:
    """Make the store one of ``revision``, and migrate it as a service that starts does."""
    with database.engine.begin() as connection:
        command.downgrade(migrations(connection), revision)
        command.upgrade(migrations(connection), "head")


def server_programs() -> Path | None:
    """The folder of ``initdb`` and ``postgres``."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own; skips where there is none, fails where TESTS_REQUIRE_POSTGRESQL is
    set."""
    programs = server_programs()
    if programs is None:
        assert not os.environ.get("TESTS_REQUIRE_POSTGRESQL"), "no PostgreSQL server is installed"
        pytest.skip("no PostgreSQL server is installed (apt-get install postgresql)")
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="faunalens-pg-") as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, user)
        data = str(folder / "data")
        run = {"user": user, "check": True, "stdout": subprocess.DEVNULL, "cwd": name}
        subprocess.run([programs / "initdb", "-D", data, "-U", "faunalens", "-A", "trust", "-N"], **run)
        port = free_port()
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={name} -c fsync=off"
        control = [programs / "pg_ctl", "-D", data, "-w", "-s"]
        subprocess.run([*control, "-l", str(folder / "log"), "-o", options, "start"], **run)
        try:
            yield f"postgresql://faunalens@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **run)


@dataclass
class Clock:
    """The time of what is kept, seconds since the epoch; it stands still until it is moved."""

    moment: float
    fromtimestamp = datetime.datetime.fromtimestamp

    def now(self, zone: datetime.tzinfo) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.moment, zone)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Takes the place of the wall clock in the store."""
    made = Clock(time.time())
    monkeypatch.setattr("service.store.clock.datetime", SimpleNamespace(datetime=made, UTC=datetime.UTC))
    return made


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Takes the place of the clock by which a process sees leases end, which nobody sets."""
    made = Clock(1000.0)
    monkeypatch.setattr("service.store.claims.time", SimpleNamespace(monotonic=lambda: made.moment))
    return made


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database."""
    url = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    opened = open_database(url, tmp_path)
    yield opened
    if url:
        with opened.engine.begin() as connection:
            Base.metadata.drop_all(connection)
            connection.execute(text("DROP TABLE alembic_version"))
    opened.close()


@pytest.fixture(scope="module")
def answers(detector: Detector) -> list[Answer]:
    policy = detector.policy("sensitive")
    return [detector.answer((SAMPLES / name).read_bytes(), "b", policy) for name in NAMES]


@pytest.fixture
def found(database: Database, answers: list[Answer]) -> Database:
    """A judged batch: three photos with findings, of which the tusk is the most pressing."""
    new = NewBatch("", "sensitive", source="uploads", webhook="https://hooks.faunalens.test/")
    Batches(database).add(new, [Entry(name, f"L-{number}") for number, name in enumerate(NAMES)])
    claims = Claims(database, 60)
    while claimed := claims.take():
        claims.finish(claimed, Outcome(answers[claimed.position]))
    return database


def ids(database: Database) -> list[int]:
    """The numbers of the photos that wait, the most pressing first."""
    return [item.id for item in Reviews(database, 60).queue(Wanted(), 10)]
