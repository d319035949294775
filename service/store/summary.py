"""What waits for moderators, for pages that ask again and again.

Counting reads an entry of an index for each photo, a tenth of a second for a million. So it is done for all pages
together, and not again before a hundred times as long has passed as it took. Decisions made since are read from the
log, so that who has just decided, here or in another process, sees it; only photos that came in may be missing until
then.
"""

import json
import time
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.store.database import Database
from service.store.states import ReviewState
from service.store.tables import Batch, Decision, Review

_SOURCES = 200
_SHARE, _LONGEST_SECONDS = 100.0, 60.0
_MOST_ENTRIES = 1_000


@dataclass(frozen=True, slots=True)
class Summary:
    """How many photos are in which state, and the sources of the newest batches."""

    states: dict[str, int]
    sources: list[str]


@dataclass(frozen=True, slots=True)
class _Counted:
    """A summary with the decisions up to entry ``seq`` of the log; ``until``: when to count anew, monotonic seconds."""

    summary: Summary
    seq: int
    until: float


class Summaries:
    """The summary of a database. Safe to use from many threads: each has a count of its own to go on from, or the last
    one's, and every count is right."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: _Counted | None = None

    def look(self) -> Summary:
        """As it is now; raises ``store_unavailable``."""
        counted = self._counted
        if counted is None or time.monotonic() >= counted.until:
            counted = self._count()
        else:
            counted = self._followed(counted) or self._count()
        self._counted = counted
        return counted.summary

    def _count(self) -> _Counted:
        counts = select(Review.state, func.count()).group_by(Review.state)
        newest = select(Batch.source).group_by(Batch.source).order_by(func.max(Batch.created_at).desc())
        begun = time.monotonic()
        with self._database.reading(one_look=True) as session:
            seq = session.scalar(select(func.max(Decision.seq))) or 0
            found = {state: count for state, count in session.execute(counts).all()}  # noqa: C416 - typed
            sources = [source for source in session.scalars(newest.limit(_SOURCES)) if source]
        ended = time.monotonic()
        states = {state.value: found.get(state, 0) for state in ReviewState}
        return _Counted(Summary(states, sources), seq, ended + min(_LONGEST_SECONDS, _SHARE * (ended - begun)))

    def _followed(self, counted: _Counted) -> _Counted | None:
        """The same with the decisions made since; None: they are so many that counting is quicker."""
        with self._database.reading() as session:
            moves = _moves(session, counted.seq)
        if len(moves) > _MOST_ENTRIES:
            return None
        states = dict(counted.summary.states)
        for _, before, after in moves:
            # it may have come in since
            states[before] = max(0, states[before] - 1)
            states[after] += 1
        seq = moves[-1][0] if moves else counted.seq
        return _Counted(Summary(states, counted.summary.sources), seq, counted.until)


def _moves(session: Session, after: int) -> list[tuple[int, str, str]]:
    """The entries of the log after number ``after``, with the states that they took a photo from and to."""
    entries = select(Decision.seq, Decision.entry).where(Decision.seq > after).order_by(Decision.seq)
    rows = session.execute(entries.limit(_MOST_ENTRIES + 1)).all()
    return [(seq, fields["before"], fields["state"]) for seq, fields in ((seq, json.loads(text)) for seq, text in rows)]
