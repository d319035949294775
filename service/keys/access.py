"""Keys of a running service: who may do what, and how much of it."""

import asyncio
import logging
import os
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
        self.ring = Keyring(self.store.all_keys())
        if not len(self.ring):
            raise StartError(f"no key in {self.store.path} is in force; `faunalens keys create` makes one")
        self.allowances = Allowances()
        self.allowances.stored(self.allowances.day, self.store.usage(self.allowances.day))
        self._seen = self._stamp()
        self._failing = False

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

        A store that cannot be read or written is logged once; the keys that are known stay in force meanwhile.
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
            if write:
                await self._write()
            if self._stamp() != self._seen:
                await self._read()
        except Exception as error:
            # what nobody thought of must not end it either: revoked keys would stay in force
            known = isinstance(error, StartError | OSError)
            if not self._failing:
                log.error("keys stay as they were, usage is counted in memory: %s", error, exc_info=not known)
            self._failing = True
        else:
            self._failing = False

    async def _write(self) -> None:
        days = self.allowances.unwritten()
        while days:
            day, pictures = days.popitem()
            try:
                await asyncio.to_thread(self.store.add_usage, day, pictures)
            except Exception:
                for failed_day, counts in {**days, day: pictures}.items():
                    self.allowances.not_written(failed_day, counts)
                raise

    async def _read(self) -> None:
        stamp = self._stamp()
        self.ring.replace(await asyncio.to_thread(self.store.all_keys))
        day = self.allowances.day
        self.allowances.stored(day, await asyncio.to_thread(self.store.usage, day))
        self._seen = stamp

    def _stamp(self) -> tuple[int, int, int]:
        found = os.stat(self.store.path)
        return found.st_ino, found.st_mtime_ns, found.st_size
