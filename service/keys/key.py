"""API keys: what one looks like, and how its secret is kept.

A key is ``fl_<id>_<secret>``: the id (12 hex digits) names it in lists and logs, the secret (32 random bytes, URL-safe
base64) is shown once. Kept is a salted scrypt hash (RFC 7914; N = 2**14, r = 8, p = 1: 16 MB and some 50 ms a try), so
that a stolen store gives no key away. A random secret of 256 bits could not be guessed behind a fast hash either; the
slow one costs little, because a key is hashed once and then known by :mod:`service.keys.keyring`.
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum

_SHAPE = re.compile(r"fl_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}


class Scope(StrEnum):
    """What a key may be used for. No scope contains another."""

    DETECT = "detect"
    REVIEW = "review"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept. ``rate``: pictures per second, ``burst``: pictures at once, ``quota``: pictures a UTC day.

    None: unlimited. ``created`` and ``revoked``: ISO 8601, UTC.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    salt: bytes = field(repr=False)
    hash: bytes = field(repr=False)
    created: str
    rate: float | None = None
    burst: int | None = None
    quota: int | None = None
    revoked: str | None = None

    def matches(self, secret: str) -> bool:
        """Whether ``secret`` is this key's, compared in constant time. Slow on purpose; releases the GIL."""
        return hmac.compare_digest(self.hash, hash_secret(secret, self.salt))


def new_key(
    name: str,
    scopes: frozenset[Scope],
    created: str,
    rate: float | None = None,
    burst: int | None = None,
    quota: int | None = None,
) -> tuple[str, Key]:
    """A new key: the text to show once, and what to keep."""
    identity, salt = secrets.token_hex(6), secrets.token_bytes(16)
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    key = Key(identity, name, scopes, salt, hash_secret(secret, salt), created, rate, burst, quota)
    return f"fl_{identity}_{secret}", key


def parse(text: str) -> tuple[str, str] | None:
    """Id and secret of a key's text; None when it has not the shape of one."""
    found = _SHAPE.fullmatch(text)
    return (found[1], found[2]) if found else None


def hash_secret(secret: str, salt: bytes) -> bytes:
    """Scrypt, 32 bytes."""
    return hashlib.scrypt(secret.encode(), salt=salt, **_SCRYPT)
