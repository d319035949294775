"""What was seen and decided on some days: counted by day as results are written, and from decided photos."""

from collections import defaultdict
from dataclasses import dataclass, field, fields

from sqlalchemy import func, literal_column, select
from sqlalchemy.orm import Session

from service.store.daily import FINDING, STRONGEST
from service.store.database import Database
from service.store.progress import FAILED
from service.store.states import ReviewState
from service.store.tables import Batch, DayCount, Review
from service.store.tallies import RANKS, Days


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


def count(database: Database, days: Days, source: str | None = None) -> Counted:
    """Count the photos judged on these days; raises ``store_unavailable``."""
    counted = Counted()
    with database.reading(one_look=True) as session:
        _judged(session, counted, days, source)
        _decided(session, counted, days, source)
    return counted


def _judged(session: Session, counted: Counted, days: Days, source: str | None) -> None:
    """Photos by what they were judged to be, findings by category, and photos by their strongest one."""
    query = (
        select(Batch.source, DayCount.kind, DayCount.category, func.sum(DayCount.count))
        .join(Batch, Batch.id == DayCount.batch_id)
        .where(DayCount.day >= days.numbers[0], DayCount.day < days.numbers[1])
        .group_by(Batch.source, DayCount.kind, DayCount.category)
    )
    if source is not None:
        query = query.where(Batch.source == source)
    for name, kind, category, number in session.execute(query).all():
        if kind == FINDING:
            counted.categories[name, category].findings += int(number)
        elif kind == STRONGEST:
            counted.categories[name, category].flagged += int(number)
        elif kind == FAILED:
            counted.sources[name].failed += int(number)
        else:
            rank, figures = RANKS[kind], counted.sources[name]
            figures.seen += int(number)
            figures.flagged += int(number) if rank else 0
            figures.priority += int(number) if rank == RANKS["priority"] else 0


def _decided(session: Session, counted: Counted, days: Days, source: str | None) -> None:
    since, until = days.seconds
    what = (Review.source, Review.sampled.is_not(None), Review.strongest, Review.answer, Review.judge)
    # by the state's name as it is, not as a value: so it is known that the index of decided photos has them all
    decided = Review.state == literal_column(f"'{ReviewState.DECIDED.value}'")
    query = select(*what, func.count()).where(decided, Review.judged_at >= since, Review.judged_at < until)
    if source is not None:
        query = query.where(Review.source == source)
    for name, sampled, strongest, answer, judge, number in session.execute(query.group_by(*what)).all():
        figures, categories = counted.sources[name], counted.categories
        counted.judges.add(judge or "")
        if sampled:
            figures.sampled += number
            if answer is not None:
                figures.missed += number
                categories[name, answer].missed += number
            continue
        figures.decided += number
        if answer is not None:
            figures.confirmed += number
            categories[name, answer].found += number
        if strongest is not None:
            categories[name, strongest].decided += number
            categories[name, strongest].confirmed += number if answer == strongest else 0
