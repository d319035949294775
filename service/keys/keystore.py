"""The store of API keys and of what they used: one SQLite file, readable by its owner only.

SQLite gives what several processes need, a running server and ``faunalens keys`` at once: locks, atomic writes, and a
check of the file. Its rollback journal has the same permissions and lives beside the file for the time of a write.
"""

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from service.errors import StartError
from service.keys.key import Key, Scope

_MARK = 0x464C4B59
_VERSION = 1
_WAIT_SECONDS = 10
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS keys (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL,
  created TEXT NOT NULL, rate REAL, burst INTEGER, quota INTEGER, revoked TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS usage (
  key TEXT NOT NULL, day TEXT NOT NULL, pictures INTEGER NOT NULL, PRIMARY KEY (key, day)
) STRICT;
PRAGMA application_id = {_MARK};
PRAGMA user_version = {_VERSION};
COMMIT;
"""


class KeyStore:
    """The file at ``path``, opened anew by every method, so that a replaced one is noticed. They raise StartError."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def create_file(self) -> None:
        """Make an empty store, mode 0600, where there is none."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StartError(f"the key store {self.path} cannot be made: {error.strerror}") from error
        with self._told(), contextlib.closing(self._connect()) as store:
            if self.path.stat().st_size == 0:
                store.executescript(_SCHEMA)

    def check(self) -> None:
        """That the file is there, is ours, is whole, can be written, and is closed to others."""
        if not self.path.is_file():
            raise StartError(f"there is no key store at {self.path}; `faunalens keys create` makes it")
        if not os.access(self.path, os.R_OK | os.W_OK) or not os.access(self.path.parent, os.W_OK):
            raise StartError(f"the key store {self.path} and its folder must be writable by this user")
        if stat.S_IMODE(self.path.stat().st_mode) & 0o077:
            raise StartError(f"others may read the key store {self.path}: run chmod 600 on it")
        with self._open() as store:
            if store.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("quick_check")

    def all_keys(self) -> list[Key]:
        """Every key, revoked ones too, oldest first."""
        with self._open() as store:
            rows = store.execute(
                "SELECT id, name, scopes, salt, hash, created, rate, burst, quota, revoked FROM keys ORDER BY rowid"
            ).fetchall()
            return [Key(row[0], row[1], frozenset(map(Scope, row[2].split())), *row[3:]) for row in rows]

    def add(self, key: Key) -> None:
        """Keep a new key."""
        values = (key.id, key.name, " ".join(sorted(key.scopes)), key.salt, key.hash, key.created, key.rate, key.burst,
                  key.quota, key.revoked)  # fmt: skip
        with self._open() as store, store:
            store.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def revoke(self, key_id: str, now: str) -> bool:
        """Mark a key as revoked; false when there is none of that id that is in force."""
        with self._open() as store, store:
            done = store.execute("UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL", (now, key_id))
            return done.rowcount == 1

    def usage(self, day: str) -> dict[str, int]:
        """Pictures by key on a UTC day, YYYY-MM-DD."""
        with self._open() as store:
            return dict(store.execute("SELECT key, pictures FROM usage WHERE day = ?", (day,)).fetchall())

    def add_usage(self, day: str, pictures: Mapping[str, int]) -> None:
        """Add to the counts of a day."""
        with self._open() as store, store:
            store.executemany(
                "INSERT INTO usage VALUES (?, ?, ?) "
                "ON CONFLICT (key, day) DO UPDATE SET pictures = pictures + excluded.pictures",
                [(key, day, count) for key, count in pictures.items()],
            )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._told(), contextlib.closing(self._connect()) as store:
            mark = store.execute("PRAGMA application_id").fetchone()[0]
            version = store.execute("PRAGMA user_version").fetchone()[0]
            if self.path.stat().st_size == 0:
                raise StartError(
                    f"the key store {self.path} is empty, as a full disk leaves it: put a backup in its place, or "
                    "`faunalens keys create` begins a new one in it"
                )
            if (mark, version) != (_MARK, _VERSION):
                raise StartError(f"{self.path} is not a key store of this version of Faunalens")
            yield store

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self.path.as_uri()}?mode=rw", uri=True, timeout=_WAIT_SECONDS)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors in words that say what to do."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StartError(f"the key store {self.path} cannot be used: {error}") from error
        except (sqlite3.DatabaseError, ValueError, TypeError) as error:
            raise StartError(
                f"the key store {self.path} is damaged: put a backup in its place, or remove it and create new keys"
            ) from error
