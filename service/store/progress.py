"""How far a batch is."""

from dataclasses import dataclass

from sqlalchemy import case, func, select

from service.errors import ErrorCode, FaunalensError
from service.store.clock import now
from service.store.database import Database
from service.store.states import BatchState, ItemState
from service.store.tables import Batch, Item
from service.store.tallies import RANKS

_RECENT = 100
FAILED = "failed"
KINDS = (*RANKS, FAILED)
"""What a result may be; a batch has a count of each under its name."""


@dataclass(frozen=True, slots=True)
class Status:
    """A batch and its counts. ``rate``: results a second, lately; ``left``: items without a result."""

    batch: Batch
    counts: dict[str, int]
    rate: float | None
    left: int


class Progress:
    """A batch as ``owner`` may see it (None: whoever made it)."""

    def __init__(self, database: Database, batch_id: str, owner: str | None) -> None:
        self._database = database
        self._owner = owner
        running = select(func.count()).where(Item.batch_id == Batch.id, Item.state == ItemState.RUNNING)
        first_of_recent = case((Batch.finished > _RECENT, Batch.finished - _RECENT + 1), else_=1)
        recent = select(Item.judged_at).where(Item.batch_id == Batch.id, Item.seq == first_of_recent)
        self._query = select(Batch, running.scalar_subquery(), recent.scalar_subquery()).where(Batch.id == batch_id)

    def look(self) -> Status:
        """The batch as it is now; raises ``unknown_batch`` and ``store_unavailable``."""
        with self._database.reading() as session:
            found = session.execute(self._query).one_or_none()
        if found is None or self._owner not in (None, found[0].owner):
            raise unknown_batch()
        batch, at_work, recent_since = found
        rest = batch.total - batch.finished - at_work
        cancelled = batch.state == BatchState.CANCELLED
        counts = {
            "waiting": 0 if cancelled else rest, "running": at_work,
            **{kind: getattr(batch, kind) for kind in KINDS}, "cancelled": rest if cancelled else 0,
        }  # fmt: skip
        return Status(batch, counts, _rate(batch, recent_since), counts["waiting"] + at_work)


def _rate(batch: Batch, recent_since: float | None) -> float | None:
    seconds = (batch.finished_at or now()) - (recent_since or 0.0)
    steps = min(batch.finished, _RECENT) - 1
    return steps / seconds if steps > 0 and seconds > 0 else None


def unknown_batch() -> FaunalensError:
    """There is none, or it is another key's; which of both is not told."""
    return FaunalensError(ErrorCode.UNKNOWN_BATCH, "There is no such batch, or it is not yours.")
