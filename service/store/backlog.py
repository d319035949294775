"""What waits in a store, for who watches the service: pictures of batches, and photos for moderators."""

from dataclasses import dataclass

from sqlalchemy import func, select

from service.store.clock import now
from service.store.database import Database
from service.store.states import BatchState, ReviewState
from service.store.tables import Batch, Review


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait, and for how many seconds the oldest does, 0 where none waits."""

    count: int = 0
    seconds: float = 0.0


def pictures(database: Database) -> Waiting:
    """Pictures of batches without a result; reads a row a running batch. Raises ``store_unavailable``."""
    query = select(func.sum(Batch.total - Batch.finished), func.min(Batch.created_at))
    with database.reading() as session:
        count, since = session.execute(query.where(Batch.state == BatchState.RUNNING)).one()
    return _waiting(count, since)


def photos(database: Database) -> dict[str, Waiting]:
    """Photos without a decision, by state; reads an entry of an index for each. Raises ``store_unavailable``."""
    states = [state for state in ReviewState if state is not ReviewState.DECIDED]
    query = select(Review.state, func.count(), func.min(Review.judged_at)).where(Review.state.in_(states))
    with database.reading() as session:
        rows = session.execute(query.group_by(Review.state)).all()
    found = {state: _waiting(count, since) for state, count, since in rows}
    return {state: found.get(state, Waiting()) for state in states}


def _waiting(count: int | None, since: float | None) -> Waiting:
    return Waiting() if count is None or since is None else Waiting(int(count), max(0.0, now() - since))
