"""Counts by day of what was judged: verdicts, findings and scores. No photo, name or listing is in them.

They are added up in memory and written now and then, so that counting costs live requests nothing. A process that is
killed loses what it had not written; batches are counted exactly elsewhere, from their items. A client chooses its
source freely, so only so many of a day have counts of their own.
"""

import bisect
import datetime
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.orm import Session

from service.answer import Answer
from service.sanitise import storable
from service.store.clock import now
from service.store.database import Database, is_postgresql
from service.store.tables import Tally

EDGES = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 0.7)
BINS = len(EDGES) + 1
RANKS = {"clear": 0, "review": 1, "priority": 2}
Channel = Literal["live", "batch"]
SOURCES = 500
OTHER = "(other)"
_FREE = frozenset({"", OTHER})
_DAYS_KNOWN = 8
_FIRST = datetime.date(1970, 1, 1).toordinal()
Of = tuple[str, str]


class Key(NamedTuple):
    """What is counted; see :class:`service.store.tables.Tally`."""

    day: str
    channel: str
    source: str
    kind: str
    category: str
    bin: int


NOTHING = Key("", "", "", "", "", 0)


@dataclass(frozen=True, slots=True)
class Days:
    """UTC days from ``since`` on, before ``until``."""

    since: datetime.date
    until: datetime.date

    @property
    def seconds(self) -> tuple[float, float]:
        """The same in seconds since the epoch."""
        return _midnight(self.since), _midnight(self.until)

    @property
    def numbers(self) -> tuple[int, int]:
        """The same in days since 1970."""
        return self.since.toordinal() - _FIRST, self.until.toordinal() - _FIRST


class Tallies:
    """Counts answers. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Key] = Counter()
        # by day and channel: the sources with counts of their own, and those of them that the database knows
        self._known: dict[Of, set[str]] = {}
        self._stored: dict[Of, set[str]] = {}

    def add(self, channel: Channel, source: str, answer: Answer) -> None:
        """Count one answer. Past some hundred sources of a day, others count together."""
        day = answer.judged_at.date().isoformat()
        with self._lock:
            source = _fitting(storable(source), self._known.setdefault((day, channel), set()))
            count = self._counts
            count[Key(day, channel, source, "photo", "", RANKS[answer.verdict])] += 1
            for finding in answer.findings:
                count[Key(day, channel, source, "finding", finding.category, 0)] += 1
            for category, score in answer.scores.items():
                count[Key(day, channel, source, "score", category, bisect.bisect_right(EDGES, score))] += 1

    def flush(self, database: Database) -> None:
        """Write what was counted; raises ``store_unavailable`` and keeps it then."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            with database.writing() as session:
                bounded, stored = self._bounded(session, counts)
                for key, count in sorted(bounded.items()):
                    _add(session, key, count)
        except BaseException:
            with self._lock:
                self._counts.update(counts)
            raise
        with self._lock:
            for of, names in stored.items():
                self._stored[of], self._known[of] = names, set(names)
            for memory in (self._known, self._stored):
                for of in sorted(memory)[:-_DAYS_KNOWN]:
                    del memory[of]

    def _bounded(self, session: Session, counts: Counter[Key]) -> tuple[Counter[Key], dict[Of, set[str]]]:
        """The counts as they are written, and the sources that the database knows then.

        What other processes wrote, or this one before it was started again, takes room too.
        """
        found: Counter[Key] = Counter()
        stored: dict[Of, set[str]] = {}
        for key in sorted(counts):
            of = key.day, key.channel
            if of not in stored:
                names = {one.source for one in counts if (one.day, one.channel) == of} - _FREE
                known = self._stored.get(of, set())
                stored[of] = set(known) if names <= known else _sources(session, *of)
            found[key._replace(source=_fitting(key.source, stored[of]))] += counts[key]
        return found, stored


def read(
    database: Database, days: Days, kinds: Iterable[str], source: str | None = None, channel: Channel | None = None,
    by: Sequence[str] = Key._fields,
) -> Counter[Key]:  # fmt: skip
    """The counts of some days. ``by``: the fields that are told apart; the database adds up over the others, which are
    empty: a few weeks may have millions of rows."""
    fields = [getattr(Tally, name) for name in by]
    query = select(*fields, func.sum(Tally.count)).group_by(*fields).where(
        Tally.day >= days.since.isoformat(), Tally.day < days.until.isoformat(), Tally.kind.in_(list(kinds))
    )  # fmt: skip
    if source is not None:
        query = query.where(Tally.source == source)
    if channel is not None:
        query = query.where(Tally.channel == channel)
    with database.reading() as session:
        return Counter(
            {NOTHING._replace(**dict(zip(by, of, strict=True))): int(number) for *of, number in session.execute(query)}
        )


def _fitting(source: str, known: set[str]) -> str:
    """``source``, which is known from now on, or :data:`OTHER`."""
    if source in known or source in _FREE:
        return source
    if len(known) >= SOURCES:
        return OTHER
    known.add(source)
    return source


def _sources(session: Session, day: str, channel: str) -> set[str]:
    query = select(Tally.source).where(Tally.day == day, Tally.channel == channel, Tally.kind == "photo")
    return set(session.scalars(query.distinct())) - _FREE


def _midnight(day: datetime.date) -> float:
    return datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC).timestamp()


def today() -> datetime.date:
    """The day it is, UTC."""
    return datetime.datetime.fromtimestamp(now(), datetime.UTC).date()


def _add(session: Session, key: Key, count: int) -> None:
    insert = postgresql.insert if is_postgresql(session.connection()) else sqlite.insert
    row: PostgresqlInsert | SqliteInsert = insert(Tally)
    row = row.values(**key._asdict(), count=count)
    session.execute(
        row.on_conflict_do_update(index_elements=list(Key._fields), set_={"count": Tally.count + row.excluded.count})
    )
