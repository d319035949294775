"""Opens the database and brings its tables up to date: SQLite in the store's folder, or PostgreSQL by URL."""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from service.errors import ErrorCode, FaunalensError, StartError, reason_of
from service.store.postgresql import connect

FILE = "faunalens.db"
# a traceback for every connection that a restarted server has closed
logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
_WAIT_SECONDS = 30
_WAL_BYTES = 67_108_864
_LOCK = 0x464C4D47
_BEGIN = "faunalens_begin"


class Database:
    """Sessions of one database. Safe to use from many threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writing = engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})

    @contextlib.contextmanager
    def reading(self, one_look: bool = False) -> Iterator[Session]:
        """A session to read by; raises ``store_unavailable``. ``one_look``: all of it sees one state of the database,
        whatever is written meanwhile; with SQLite that is always so."""
        with _told(), Session(self.engine) as session:
            if one_look and is_postgresql(session.connection()):
                # said by a statement: a level set on the connection is reset past SQLAlchemy's errors when that broke
                session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction, committed at the end; raises ``store_unavailable``.

        SQLite takes its lock at once, so that what was read is still so when it is written.
        """
        with _told(), Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


def is_postgresql(connection: Connection) -> bool:
    """Whether the database is PostgreSQL; else it is SQLite."""
    return connection.dialect.name == "postgresql"


def is_full(error: FaunalensError) -> bool:
    """Whether SQLite found no room on the disk for what was to be written."""
    cause = getattr(error.__cause__, "orig", None)
    return isinstance(cause, sqlite3.Error) and cause.sqlite_errorcode == sqlite3.SQLITE_FULL


def exclusive(connection: Connection, number: int) -> None:
    """One holder of ``number`` at a time until the transaction ends; SQLite's transaction to write is that already."""
    if is_postgresql(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def open_database(url: str | None, folder: Path) -> Database:
    """The database at ``url`` (PostgreSQL), or the SQLite file in ``folder``, which exists; tables up to date.

    Raises :class:`StartError`.
    """
    engine = connect(url) if url else _sqlite(folder / FILE)
    try:
        with engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"}).begin() as connection:
            _migrate(connection)
    except StartError:
        engine.dispose()
        raise
    except CommandError as error:
        engine.dispose()
        raise StartError("the database of batches was migrated by a later version: go back to that one") from error
    except (SQLAlchemyError, OSError) as error:
        engine.dispose()
        raise StartError(f"the database of batches cannot be used: {reason_of(error)}") from error
    return Database(engine)


def migrations(connection: Connection) -> Config:
    """The migrations as alembic's commands take them; these run in the transaction of ``connection``."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _sqlite(path: Path) -> Engine:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StartError(f"the database {path} cannot be made: {error.strerror}") from error
    # as many connections as are asked for: those that wait for the lock must leave some to who only reads
    engine = create_engine(
        URL.create("sqlite", database=str(path)), connect_args={"timeout": _WAIT_SECONDS}, hide_parameters=True,
        pool_size=20, max_overflow=-1,
    )  # fmt: skip
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    """Leave transactions to :func:`_begin`; write ahead, so that readers and the writer do not wait for each other."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # what one large batch made of it would stay as long as the service runs
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


def _migrate(connection: Connection) -> None:
    """Run the migrations that are missing, in this transaction; services that start together wait for each other."""
    exclusive(connection, _LOCK)
    command.upgrade(migrations(connection), "head")


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        # pg8000 lets a connection that is reset while it is made through as it is
        message = "The store of batches cannot be used now; try again shortly."
        raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, message) from error
