"""The log of decisions, which only grows.

Entries are chained by hashes, see :mod:`service.chain`, so that no entry can be changed, removed or put in without
changing every hash after it. Whoever has noted a hash can prove that what came before it is still the same.
"""

import datetime
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.chain import BEGINNING, digest, link
from service.store.clock import iso
from service.store.database import Database, exclusive
from service.store.kinds import STATES, Kind, standing
from service.store.states import ReviewState
from service.store.tables import Decision, Review

_LOCK = 0x464C4443
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the log: its JSON text, and its hash."""

    seq: int
    entry: str
    hash: str

    @property
    def line(self) -> str:
        """The JSON object that is sent."""
        return f'{self.entry[:-1]}, "hash": "{self.hash}"}}'

    @property
    def fields(self) -> dict[str, Any]:
        """The same, read."""
        fields: dict[str, Any] = json.loads(self.line)
        return fields

    def with_notice(self, name: str, notices: Mapping[str, str]) -> str:
        """The line; where a category is confirmed for good, with its notice (JSON), which is no part of the chain."""
        fields = json.loads(self.entry)
        counts = fields["decision"] == Kind.CONFIRM and fields.get("state", ReviewState.DECIDED) == ReviewState.DECIDED
        notice = notices.get(fields["category"]) if counts else None
        return f'{self.line[:-1]}, "{name}": {notice}}}' if notice else self.line


@dataclass(frozen=True, slots=True)
class Check:
    """What a look through the log found. ``wrong``: the first entry that does not fit, None: all fit."""

    entries: int
    head: str
    wrong: int | None
    reason: str = ""


class _Kept(NamedTuple):
    """A row of the log."""

    seq: int
    item_id: int
    entry: str
    hash: str
    moderator: str
    decision: str
    decided_at: float


class DecisionLog:
    """The log of a database. Methods raise ``store_unavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, after: int, limit: int) -> list[Entry]:
        """Up to ``limit`` entries with a number above ``after``."""
        query = select(Decision).where(Decision.seq > after).order_by(Decision.seq).limit(limit)
        with self._database.reading() as session:
            return [Entry(row.seq, row.entry, row.hash) for row in session.scalars(query)]

    def verify(self) -> Check:
        """Look through the whole log: numbers, hashes, and that every photo is in the state of its last entry."""
        head, count, states = BEGINNING, 0, dict[int, tuple[int, str, str | None]]()
        # moderators decide meanwhile
        with self._database.reading(one_look=True) as session:
            for entry in _entries(session):
                reason = _fault(entry, count + 1, head)
                if reason:
                    return Check(count, head, entry.seq, reason)
                fields = json.loads(entry.entry)
                state = fields.get("state") or STATES[Kind(fields["decision"])]
                # one text for all: there may be a million
                states[fields["item"]] = (entry.seq, sys.intern(str(state)), _answer(fields, state))
                head, count = entry.hash, entry.seq
            for item_id, last_seq, state, answer in _reviewed(session):
                if (last_seq, state, answer) != states.get(item_id, (None, ReviewState.OPEN, None)):
                    return Check(count, head, last_seq or 0, f"photo {item_id} is not as was decided")
        return Check(count, head, None)

    def has(self, digest: str) -> bool:
        """Whether the log has an entry of this hash."""
        with self._database.reading() as session:
            return session.scalars(select(Decision.seq).where(Decision.hash == digest)).first() is not None


def lock(session: Session) -> None:
    """One writer of the log at a time until the transaction ends."""
    exclusive(session.connection(), _LOCK)


def append(session: Session, moment: float, fields: Mapping[str, Any]) -> Entry:
    """Add an entry at ``moment``, seconds since the epoch; ``fields``: what it says beside its number and the time.

    The log must be locked.
    """
    last = session.scalars(select(Decision).order_by(Decision.seq.desc()).limit(1)).one_or_none()
    seq, previous = (last.seq + 1, last.hash) if last else (1, BEGINNING)
    made = _chained(seq, json.dumps({"seq": seq, "decided_at": iso(moment), **fields}), previous)
    session.add(
        Decision(
            seq=seq, item_id=fields["item"], entry=made.entry, hash=made.hash, moderator=fields["moderator"],
            decision=fields["decision"], decided_at=moment,
        )
    )  # fmt: skip
    return made


def said(session: Session, seq: int | None) -> dict[str, Any] | None:
    """What the entry of a number says; None without a number."""
    return None if seq is None else json.loads(session.get_one(Decision, seq).entry)


def stands(session: Session, item_id: int) -> list[dict[str, Any]]:
    """What the entries about an item say that were not taken back, oldest first."""
    entries = select(Decision.entry).where(Decision.item_id == item_id).order_by(Decision.seq)
    return standing(json.loads(entry) for entry in session.scalars(entries))


def _entries(session: Session) -> Iterator[_Kept]:
    after = -(2**31)  # from before the first number, so that an entry put in there is seen
    query = select(*(getattr(Decision, name) for name in _Kept._fields)).order_by(Decision.seq).limit(_PAGE)
    while rows := session.execute(query.where(Decision.seq > after)).all():
        yield from (_Kept(*row) for row in rows)
        after = rows[-1].seq


def _answer(entry: Mapping[str, Any], state: str) -> str | None:
    """What an entry confirms for good."""
    confirmed = entry["decision"] == Kind.CONFIRM and state == ReviewState.DECIDED
    return sys.intern(str(entry.get("category"))) if confirmed else None


def _reviewed(session: Session) -> Iterator[tuple[int, int | None, str, str | None]]:
    """The photos to review with their last entry, state and answer; page by page, for all at once would fill the
    memory."""
    after = -1
    asked = select(Review.item_id, Review.last_seq, Review.state, Review.answer)
    query = asked.order_by(Review.item_id).limit(_PAGE)
    while rows := session.execute(query.where(Review.item_id > after)).all():
        yield from ((item_id, last_seq, state, answer) for item_id, last_seq, state, answer in rows)
        after = rows[-1].item_id


def _fault(row: _Kept, number: int, previous: str) -> str:
    """Why an entry does not follow ``previous``; empty when it does."""
    if row.seq != number:
        return f"entry {number} is missing"
    if _chained(row.seq, row.entry, previous).hash != row.hash:
        return "its text or what came before was changed"
    try:
        fields = json.loads(row.entry)
        if fields["seq"] != number:
            return "it was put at another place"
        moment = datetime.datetime.fromisoformat(fields["decided_at"]).timestamp()
        told = (fields["moderator"], Kind(fields["decision"]), fields["item"])
        same = told == (row.moderator, row.decision, row.item_id) and abs(moment - row.decided_at) < 1e-3
        return "" if same else "what is counted is not what it says"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "it is not an entry"


def _chained(seq: int, entry: str, previous: str) -> Entry:
    return Entry(seq, entry, link(previous, digest(entry)))
