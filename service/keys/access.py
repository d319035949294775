"""Keys of a running service: who may do what, and how much of it."""

import asyncio
import logging
import os
import time
from pathlib import Path

from service.errors import ErrorCode, FaunalensError, StartError
from service.keys.allowance import Allowances
from service.keys.key import Key, Scope
from service.keys.keyring import Keyring
from service.keys.keystore import KeyStore

log = logging.getLogger("faunalens")
audit = logging.getLogger("faunalens.audit")
_LOOK_SECONDS = 1.0
_WRITE_EVERY = 5


class Access:
    """The keys and allowances of one process, kept in step with the store by :meth:`keep`."""

    def __init__(self, path: Path) -> None:
        """Read the store; raises :class:`StartError` when it is missing, damaged, open to others, or has no key."""
        self.store = KeyStore(path)
        self.store.check()
        self._seen = self._stamp()
        self.ring = Keyring(self.store.all_keys())
        if not len(self.ring):
            raise StartError(f"no key in {self.store.path} is in force; `faunalens keys create` makes one")
        self.allowances = Allowances()
        self.allowances.stored(self.allowances.day, self.store.usage(self.allowances.day))
        self._failing_since: float | None = None

    @property
    def stale_seconds(self) -> float:
        """For how long the store could not be read or written; 0: it can. Revoked keys stay in force meanwhile."""
        return 0.0 if self._failing_since is None else time.monotonic() - self._failing_since

    async def allow(self, presented: str, scopes: frozenset[Scope]) -> Key:
        """The key, when it has one of ``scopes`` (none: any key will do); raises ``unauthenticated``, ``forbidden``."""
        key = await self.ring.identify(presented)
        if scopes and not scopes & key.scopes:
            needed = sorted(scopes)
            audit.warning("key %s: refused, it has not the scope %s", key.id, " or ".join(needed))
            message = f"This address needs a key with the scope {' or '.join(needed)}."
            raise FaunalensError(ErrorCode.FORBIDDEN, message, {"scopes": needed})
        return key

    async def keep(self) -> None:
        """Look for changes of the store every second, write usage every five; until cancelled, then write once more.

        A store that cannot be read or written is logged once, and tried every second; the keys that are known stay in
        force meanwhile.
        """
        try:
            while True:
                for turn in range(_WRITE_EVERY):
                    await asyncio.sleep(_LOOK_SECONDS)
                    await self._guarded(write=turn == 0)
        finally:
            await self._guarded(write=True)

    async def _guarded(self, write: bool) -> None:
        try:
            if write or self._failing_since is not None:
                await self._write()
            if self._stamp() != self._seen:
                await self._read()
        except Exception as error:
            # what nobody thought of must not end it either: revoked keys would stay in force
            known = isinstance(error, StartError | OSError)
            if self._failing_since is None:
                log.error("keys stay as they were, usage is counted in memory: %s", error, exc_info=not known)
                self._failing_since = time.monotonic()
        else:
            if self._failing_since is not None:
                log.warning("the key store can be used again, after %.0f seconds", self.stale_seconds)
            self._failing_since = None

    async def _write(self) -> None:
        days = self.allowances.unwritten()
        try:
            for day in list(days):
                writing = asyncio.create_task(asyncio.to_thread(self.store.add_usage, day, days[day]))
                try:
                    await asyncio.shield(writing)
                finally:
                    # who is cancelled waits for the end: only then it is known whether it was written
                    await asyncio.wait([writing])
                    if writing.exception() is None:
                        del days[day]
        finally:
            for day, pictures in days.items():
                self.allowances.not_written(day, pictures)

    async def _read(self) -> None:
        stamp = self._stamp()
        self.ring.replace(await asyncio.to_thread(self.store.all_keys))
        day = self.allowances.day
        self.allowances.stored(day, await asyncio.to_thread(self.store.usage, day))
        self._seen = stamp

    def _stamp(self) -> tuple[int, int, int]:
        found = os.stat(self.store.path)
        return found.st_ino, found.st_mtime_ns, found.st_size
