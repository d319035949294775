"""How far a batch is, for who asks again and again: what was counted once is not counted anew."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.errors import ErrorCode, FaunalensError
from service.store.clock import now
from service.store.database import Database
from service.store.states import BatchState, ItemState
from service.store.tables import Batch, Item
from service.store.tallies import RANKS

_RECENT = 100
_VERDICTS = tuple(RANKS)
_FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Status:
    """A batch and its counts. ``rate``: results a second, lately; ``left``: items without a result."""

    batch: Batch
    counts: dict[str, int]
    rate: float | None
    left: int


class Progress:
    """A batch as ``owner`` may see it (None: whoever made it), for one who looks at it, not for many threads.

    Results are numbered without gaps as they are written, so a look counts only those that came since the last one.
    """

    def __init__(self, database: Database, batch_id: str, owner: str | None) -> None:
        self._database = database
        self._batch_id = batch_id
        self._owner = owner
        running = select(func.count()).where(Item.batch_id == Batch.id, Item.state == ItemState.RUNNING)
        self._query = select(Batch, running.scalar_subquery()).where(Batch.id == batch_id)
        self._results = dict.fromkeys((*_VERDICTS, _FAILED), 0)
        self._counted = 0
        self._recent_since = 0.0

    def look(self) -> Status:
        """The batch as it is now; raises ``unknown_batch`` and ``store_unavailable``."""
        with self._database.reading() as session:
            found = session.execute(self._query).one_or_none()
            if found is None or self._owner not in (None, found[0].owner):
                raise unknown_batch()
            batch, at_work = found
            if batch.finished > self._counted:
                self._count(session, batch.finished)
        rest = batch.total - batch.finished - at_work
        cancelled = batch.state == BatchState.CANCELLED
        counts = {
            "waiting": 0 if cancelled else rest, "running": at_work, **self._results,
            "cancelled": rest if cancelled else 0,
        }  # fmt: skip
        return Status(batch, counts, self._rate(batch), counts["waiting"] + at_work)

    def _count(self, session: Session, finished: int) -> None:
        """Add the results up to number ``finished``."""
        by_kind = select(Item.rank, func.count()).where(
            Item.batch_id == self._batch_id, Item.seq > self._counted, Item.seq <= finished
        )
        of_recent = select(Item.judged_at).where(
            Item.batch_id == self._batch_id, Item.seq == max(1, finished - _RECENT + 1)
        )
        new = session.execute(by_kind.group_by(Item.rank)).all()
        self._recent_since = session.scalar(of_recent) or 0.0
        for rank, count in new:
            self._results[_FAILED if rank is None else _VERDICTS[rank]] += count
        self._counted = finished

    def _rate(self, batch: Batch) -> float | None:
        seconds = (batch.finished_at or now()) - self._recent_since
        steps = min(batch.finished, _RECENT) - 1
        return steps / seconds if steps > 0 and seconds > 0 else None


def unknown_batch() -> FaunalensError:
    """There is none, or it is another key's; which of both is not told."""
    return FaunalensError(ErrorCode.UNKNOWN_BATCH, "There is no such batch, or it is not yours.")
