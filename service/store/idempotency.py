"""Requests that are sent again because their answer was lost: what the first one made is not made twice.

The client names a request by a key of its own (the header ``Idempotency-Key``,
draft-ietf-httpapi-idempotency-key-header-07). What it made is noted in the transaction that makes it, so that neither
is there without the other; a request that failed made nothing and may be sent again.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import delete
from sqlalchemy.orm import Session

from service.errors import ErrorCode, FaunalensError
from service.store.clock import now
from service.store.database import exclusive
from service.store.tables import IdempotencyKey

_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Once:
    """A request that is to be done once: whose it is, its key, and the digest of what it asks for."""

    owner: str
    key: str
    fingerprint: str


def digest_of(*asked: object) -> str:
    """The fingerprint of a request."""
    return hashlib.sha256(repr([str(one) for one in asked]).encode()).hexdigest()


def known(session: Session, owner: str, key: str) -> IdempotencyKey | None:
    """What is kept of a key, within a day."""
    kept = session.get(IdempotencyKey, (owner, key))
    return None if kept is None or kept.made_at < now() - _SECONDS else kept


def earlier(session: Session, once: Once) -> str | None:
    """What the first request of the key made, within a day; None: this is the first.

    Requests of one key wait for each other from here on. Raises ``idempotency_key_reused`` when the first one asked for
    something else.
    """
    digest = hashlib.sha256(f"{once.owner} {once.key}".encode()).digest()
    exclusive(session.connection(), int.from_bytes(digest[:8], "big", signed=True))
    kept = known(session, once.owner, once.key)
    if kept is None:
        return None
    if kept.fingerprint != once.fingerprint:
        message = "Another request was sent with this Idempotency-Key; send this one with a key of its own."
        raise FaunalensError(ErrorCode.IDEMPOTENCY_KEY_REUSED, message)
    return kept.made


def note(session: Session, once: Once, made: str) -> None:
    """Keep what a first request made; keys of more than a day ago are forgotten."""
    moment = now()
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.made_at < moment - _SECONDS))
    session.merge(
        IdempotencyKey(owner=once.owner, key=once.key, fingerprint=once.fingerprint, made=made, made_at=moment)
    )
