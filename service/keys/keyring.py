"""The keys in force, in memory: who sends this request?

A key's slow hash is computed once, when it is first presented. From then on the key is known by an HMAC under a random
key of this process, which costs microseconds and is useless elsewhere; a presented key is compared with it in constant
time. A wrong secret for a known key is therefore refused without the slow hash; for a key not yet known one try runs at
a time, a few wait, and more are refused as ``overloaded``, so that guesses cannot take the processor. One key may not
fill these places (:mod:`service.runtime.slots`), so that guesses at it leave room for the others. The time of a refusal
tells whether an id exists; ids are no secret.
"""

import asyncio
import hmac
import logging
import secrets
from collections.abc import Iterable

from service.errors import ErrorCode, FaunalensError
from service.keys.key import Key, parse
from service.runtime.slots import Slots

audit = logging.getLogger("faunalens.audit")
_MOST_TRIES = 32


class Keyring:
    """Holds keys by id; revoked ones are not held. Not thread-safe: all calls come from the event loop."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self.version = 0
        """Counts how often other keys came into force."""
        self._keys: dict[str, Key] = {}
        self._known: dict[str, bytes] = {}
        self._mac = hmac.new(secrets.token_bytes(32), digestmod="sha256")
        self._one_at_a_time = asyncio.Semaphore(1)
        self._tries = Slots(_MOST_TRIES)
        self.replace(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def replace(self, keys: Iterable[Key]) -> None:
        """Hold these instead; what is known of unchanged keys stays."""
        fresh = {key.id: key for key in keys if key.revoked is None}
        self._known = {
            key_id: digest
            for key_id, digest in self._known.items()
            if key_id in fresh and fresh[key_id].hash == self._keys[key_id].hash
        }
        self._keys = fresh
        self.version += 1

    def name(self, key_id: str) -> str | None:
        """The name of a key in force."""
        key = self._keys.get(key_id)
        return key.name if key else None

    async def identify(self, presented: str) -> Key:
        """The key whose text this is; raises ``unauthenticated``, or ``overloaded`` while too many are being tried."""
        key, secret = self._named(presented)
        digest = self._digest(presented)
        known = self._known.get(key.id)
        if known is None:
            known = await self._first_time(key, secret, digest)
        if not hmac.compare_digest(known, digest):
            audit.warning("key %s: refused, shown with a wrong secret", key.id)
            raise unauthenticated()
        return key

    def known(self, presented: str) -> Key | None:
        """As :meth:`identify` of a key that was right before; None where that must say."""
        key, _ = self._named(presented)
        known = self._known.get(key.id, b"")
        return key if hmac.compare_digest(known, self._digest(presented)) else None

    def _named(self, presented: str) -> tuple[Key, str]:
        """The key that a text names, and the secret in it; raises ``unauthenticated``."""
        parts = parse(presented)
        key = self._keys.get(parts[0]) if parts else None
        if parts is None or key is None:
            raise unauthenticated()
        return key, parts[1]

    def _digest(self, presented: str) -> bytes:
        # hmac.digest lets go of the interpreter's lock for it, and waits for it longer than the digest takes
        mac = self._mac.copy()
        mac.update(presented.encode())
        return mac.digest()

    async def _first_time(self, key: Key, secret: str, digest: bytes) -> bytes:
        """The digest that is right for ``key``, or an empty one."""
        with self._tries.held(key.id, "Too many keys are being checked"):
            async with self._one_at_a_time:
                # another request with the same key may have been first
                known = self._known.get(key.id)
                if known is not None:
                    return known
                if not await asyncio.to_thread(key.matches, secret):
                    return b""
        held = self._keys.get(key.id)  # the file may have been read again meanwhile
        if held is not None and held.hash == key.hash:
            self._known[key.id] = digest
        return digest


def unauthenticated() -> FaunalensError:
    """The one answer to a missing, malformed, unknown, wrong or revoked key."""
    return FaunalensError(
        ErrorCode.UNAUTHENTICATED, "Send a valid API key: Authorization: Bearer <key>, or X-API-Key: <key>."
    )
