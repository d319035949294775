"""What was seen and decided in a span of time, counted from items, findings and decisions."""

import json
from collections import defaultdict
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from service.store.database import Database
from service.store.kinds import Kind
from service.store.states import ItemState, ReviewState
from service.store.tables import Batch, Decision, Finding, Item, Review
from service.store.tallies import RANKS

_Query = TypeVar("_Query", bound=Select[*tuple[Any, ...]])


@dataclass(slots=True)
class Figures:
    """Counts of photos of batches; they may be added up.

    ``flagged``: with a finding; ``decided`` of these, for good, of which ``confirmed``; ``sampled``: of the random
    sample of the others, decided for good, of which ``missed`` were confirmed. For one category ``flagged`` are photos
    whose strongest finding it is, ``confirmed`` those of them confirmed as it; ``found`` and ``missed`` are photos
    confirmed as it, whatever was strongest.
    """

    seen: int = 0
    failed: int = 0
    flagged: int = 0
    priority: int = 0
    decided: int = 0
    confirmed: int = 0
    sampled: int = 0
    missed: int = 0
    findings: int = 0
    found: int = 0

    def add(self, other: "Figures") -> None:
        """Add another's counts."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass(slots=True)
class Counted:
    """Figures by source, and by source and category; the models and policies whose photos were decided."""

    sources: dict[str, Figures] = field(default_factory=lambda: defaultdict(Figures))
    categories: dict[tuple[str, str], Figures] = field(default_factory=lambda: defaultdict(Figures))
    judges: set[str] = field(default_factory=set)


def count(database: Database, since: float, until: float, source: str | None = None) -> Counted:
    """Count the photos judged from ``since`` on, before ``until`` (seconds since the epoch); raises
    ``store_unavailable``."""
    counted = Counted()
    with database.reading(one_look=True) as session:
        _photos(session, counted, since, until, source)
        _findings(session, counted, since, until, source)
        _decided(session, counted, since, until, source)
    return counted


def _within(query: _Query, since: float, until: float, source: str | None) -> _Query:
    query = query.where(Item.judged_at >= since, Item.judged_at < until)
    return query if source is None else query.where(Batch.source == source)


def _photos(session: Session, counted: Counted, since: float, until: float, source: str | None) -> None:
    query = select(Batch.source, Item.state, Item.rank, func.count()).join(Batch, Batch.id == Item.batch_id)
    query = _within(query, since, until, source).group_by(Batch.source, Item.state, Item.rank)
    for name, state, rank, number in session.execute(query).all():
        figures = counted.sources[name]
        if state == ItemState.FAILED:
            figures.failed += number
        elif rank is not None:
            figures.seen += number
            figures.flagged += number if rank else 0
            figures.priority += number if rank == RANKS["priority"] else 0


def _findings(session: Session, counted: Counted, since: float, until: float, source: str | None) -> None:
    """Findings by category; and photos by their strongest one."""
    query = select(Batch.source, Finding.category, func.count()).join(Item, Item.id == Finding.item_id)
    query = _within(query.join(Batch, Batch.id == Item.batch_id), since, until, source).where(Item.rank > 0)
    for name, category, number in session.execute(query.group_by(Batch.source, Finding.category)).all():
        counted.categories[name, category].findings += number
    # the item keeps the probability of its strongest finding; equal ones count for the first by name
    top = select(Batch.source, func.min(Finding.category).label("category"))
    top = top.join(Item, (Item.id == Finding.item_id) & (Item.probability == Finding.probability))
    top = _within(top.join(Batch, Batch.id == Item.batch_id), since, until, source).where(Item.rank > 0)
    each = top.group_by(Item.id, Batch.source).subquery()
    of_top = select(each.c.source, each.c.category, func.count()).group_by(each.c.source, each.c.category)
    for name, category, number in session.execute(of_top).all():
        counted.categories[name, category].flagged += number


def _decided(session: Session, counted: Counted, since: float, until: float, source: str | None) -> None:
    # what the review says again of its item: an item's row is long, and these lie all over the store
    top = (Finding.item_id == Review.item_id, Finding.probability == Review.probability)
    strongest = select(func.min(Finding.category)).where(*top).scalar_subquery()
    query = (
        select(Review.source, Review.sampled, Decision.entry, strongest)
        .join(Decision, Decision.seq == Review.last_seq)
        .where(Review.state == ReviewState.DECIDED, Review.judged_at >= since, Review.judged_at < until)
    )
    if source is not None:
        query = query.where(Review.source == source)
    for name, sampled, text, strongest in session.execute(query).all():
        entry = json.loads(text)
        category = entry["category"] if entry["decision"] == Kind.CONFIRM else None
        figures = counted.sources[name]
        counted.judges.add(
            f"{entry['model']['sha256']} {entry['policy'].get('sha256') or entry['policy'].get('version')}"
        )
        if sampled is not None:
            figures.sampled += 1
            figures.missed += category is not None
            if category is not None:
                counted.categories[name, category].missed += 1
            continue
        figures.decided += 1
        figures.confirmed += category is not None
        if strongest is not None:
            counted.categories[name, strongest].decided += 1
            counted.categories[name, strongest].confirmed += category == strongest
        if category is not None:
            counted.categories[name, category].found += 1
