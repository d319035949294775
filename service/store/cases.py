"""Photos with everything that is known about them: how they came in, their result, the decisions about them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select

from service.chain import BEGINNING, digest
from service.store.database import Database
from service.store.decision_log import Entry
from service.store.tables import Batch, Decision, Item, Review

_AT_ONCE = 500
# what a case has, but for the decisions
_COLUMNS = (
    Item.id, Item.batch_id, Item.position, Item.name, Item.listing_id, Item.url, Batch.source, Item.photo, Item.sha256,
    Batch.created_at, Item.judged_at, Item.record,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """A photo that has a result. Times in seconds since the epoch; ``photo``: its bytes are kept.

    ``record``: the answer, or ``{"error": ...}``; ``entries``: the log's entries about it, oldest first.
    """

    id: int
    batch_id: str
    position: int
    name: str
    listing_id: str | None
    url: str | None
    source: str
    photo: bool
    sha256: str | None
    received_at: float
    judged_at: float
    record: dict[str, Any]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """An entry of the log as it is shown to others: its digest, and its text where it is their business."""

    seq: int
    digest: str
    entry: str | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """The log from ``first`` to its end: ``before`` is the hash that the first of ``links`` follows."""

    first: int
    before: str
    links: tuple[Link, ...]
    head: str


def of_listing(database: Database, listing_id: str) -> list[Case]:
    """The judged photos of a listing, in the order in which they came in."""
    return _cases(database, Item.listing_id == listing_id)


def of_items(database: Database, ids: Sequence[int]) -> list[Case]:
    """The judged photos of these numbers."""
    return _cases(database, Item.id.in_(ids))


def of_batch(database: Database, batch_id: str) -> list[Case]:
    """The judged photos of a batch."""
    return _cases(database, Item.batch_id == batch_id)


def unjudged(database: Database, listing_id: str | None, batch_id: str | None) -> int:
    """How many photos of a listing, or else of a batch, have no result: they wait, or were cancelled."""
    wanted = Item.listing_id == listing_id if listing_id else Item.batch_id == batch_id
    with database.reading() as session:
        return session.scalar(select(func.count()).where(wanted, Item.record.is_(None))) or 0


def in_state(database: Database, state: str | None) -> Iterator[Case]:
    """The photos to review of a state, or of all, by number; what is decided meanwhile may or may not be among them."""
    last = -1
    # states are compared here: asked for one, SQLite sorts all photos of it for each page
    query = select(Review.item_id, Review.state).order_by(Review.item_id).limit(_AT_ONCE)
    while True:
        with database.reading() as session:
            rows = session.execute(query.where(Review.item_id > last)).all()
        if not rows:
            return
        last = rows[-1].item_id
        if ids := [row.item_id for row in rows if state in (None, row.state)]:
            yield from _cases(database, Item.id.in_(ids))


def stretch(database: Database, shown: set[int]) -> Stretch:
    """The log from the first of the entries ``shown`` on, with their texts; without any the log's end alone."""
    links: list[Link] = []
    with database.reading() as session:
        first = min(shown) if shown else (session.scalar(select(func.max(Decision.seq))) or 0) + 1
        before = session.scalar(select(Decision.hash).where(Decision.seq == first - 1)) or BEGINNING
        rows = session.execute(
            select(Decision.seq, Decision.entry, Decision.hash).where(Decision.seq >= first).order_by(Decision.seq)
        )
        head = before
        for seq, entry, kept in rows.yield_per(_AT_ONCE):
            links.append(Link(seq, digest(entry), entry if seq in shown else None))
            head = kept
    return Stretch(first, before, tuple(links), head)


def _cases(database: Database, wanted: ColumnElement[bool]) -> list[Case]:
    # columns and no objects of the ORM, which take longer to make than to read
    query = (
        select(*_COLUMNS)
        .join(Batch, Batch.id == Item.batch_id)
        .where(wanted, Item.record.is_not(None), Item.judged_at.is_not(None))
        .order_by(Batch.created_at, Item.batch_id, Item.position)
    )
    entries: dict[int, list[Entry]] = {}
    with database.reading() as session:
        rows = session.execute(query).all()
        ids = [row.id for row in rows]
        for start in range(0, len(ids), _AT_ONCE):
            found = select(Decision.item_id, Decision.seq, Decision.entry, Decision.hash).order_by(Decision.seq)
            of_these = found.where(Decision.item_id.in_(ids[start : start + _AT_ONCE]))
            for item_id, seq, entry, kept in session.execute(of_these).all():
                entries.setdefault(item_id, []).append(Entry(seq, entry, kept))
    return [_case(row, tuple(entries.get(row.id, ()))) for row in rows]


def _case(row: Row[*tuple[Any, ...]], entries: tuple[Entry, ...]) -> Case:
    return Case(
        row.id, row.batch_id, row.position, row.name, row.listing_id, row.url, row.source, row.photo, row.sha256,
        row.created_at, row.judged_at, json.loads(row.record), entries,
    )  # fmt: skip
