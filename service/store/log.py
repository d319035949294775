"""The log of decisions, which only grows.

Entries are chained by hashes, see :mod:`service.chain`, so that no entry can be changed, removed or put in without
changing every hash after it. Whoever has noted a hash can prove that what came before it is still the same.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from service.chain import BEGINNING
from service.store.database import Database
from service.store.entries import STATES, Entry, Kind, fault, read_entry
from service.store.reviews import unknown_item
from service.store.tables import Decision, Item, Review, ReviewState

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Check:
    """What a look through the log found. ``wrong``: the first entry that does not fit, None: all fit."""

    entries: int
    head: str
    wrong: int | None
    reason: str = ""


class Log:
    """The log of a database. Methods raise ``store_unavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self, item_id: int, sha256: str) -> dict[str, Any] | None:
        """The last entry about a photo to review, None without one; raises ``unknown_item``, also for other bytes."""
        with self._database.reading() as session:
            review, item = session.get(Review, item_id), session.get(Item, item_id)
            if review is None or item is None or item.sha256 != sha256:
                raise unknown_item()
            return read_entry(session, review.last_seq)

    def page(self, after: int, limit: int) -> list[Entry]:
        """Up to ``limit`` entries with a number above ``after``."""
        query = select(Decision).where(Decision.seq > after).order_by(Decision.seq).limit(limit)
        with self._database.reading() as session:
            return [Entry(row.seq, row.entry, row.hash) for row in session.scalars(query)]

    def verify(self) -> Check:
        """Look through the whole log: numbers, hashes, and that every photo is in the state of its last entry."""
        head, count, states = BEGINNING, 0, dict[int, tuple[int, str]]()
        for entry in self._all():
            reason = fault(entry, count + 1, head)
            if reason:
                return Check(count, head, entry.seq, reason)
            fields = json.loads(entry.entry)
            states[fields["item"]] = (entry.seq, fields.get("state") or STATES[Kind(fields["decision"])])
            head, count = entry.hash, entry.seq
        with self._database.reading() as session:
            for review in session.scalars(select(Review)):
                wanted = states.get(review.item_id, (None, ReviewState.OPEN))
                if (review.last_seq, review.state) != wanted:
                    return Check(count, head, review.last_seq or 0, f"photo {review.item_id} is not as was decided")
        return Check(count, head, None)

    def has(self, digest: str) -> bool:
        """Whether the log has an entry of this hash."""
        with self._database.reading() as session:
            return session.scalars(select(Decision.seq).where(Decision.hash == digest)).first() is not None

    def _all(self) -> Iterator[Decision]:
        after = -(2**31)  # from before the first number, so that an entry put in there is seen
        while True:
            query = select(Decision).where(Decision.seq > after).order_by(Decision.seq).limit(_PAGE)
            with self._database.reading() as session:
                rows = session.scalars(query).all()
            if not rows:
                return
            yield from rows
            after = rows[-1].seq
