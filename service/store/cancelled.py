"""Pictures of cancelled batches that were not judged: cancelled in slices, between which others write."""

from sqlalchemy import select, update

from service.store.clock import now
from service.store.database import Database
from service.store.states import BatchState, ItemState
from service.store.tables import Batch, Item

AT_ONCE = 2_000
"""Pictures cancelled by one call of :func:`drop` at most: a tenth of a second, on a busy machine a few."""


def drop(database: Database, batch_id: str | None = None) -> bool:
    """Cancel some pictures that wait, of one batch or of any; whether there may be more. Raises ``store_unavailable``.

    Nobody takes pictures of a cancelled batch; those that are given back are cancelled by the next call.
    """
    waiting = select(Item.id).where(Item.state == ItemState.WAITING)
    left = select(Batch.id).where(
        Batch.state == BatchState.CANCELLED, waiting.where(Item.batch_id == Batch.id).exists()
    )
    if batch_id is not None:
        left = left.where(Batch.id == batch_id)
    with database.reading() as session:
        found = session.scalars(left.limit(1)).first()
    if found is None:
        return False
    some = waiting.where(Item.batch_id == found).limit(AT_ONCE).with_for_update(skip_locked=True)
    with database.writing() as session:
        ids = session.scalars(some).all()
        mine = update(Item).where(Item.id.in_(ids))
        session.execute(mine.values(state=ItemState.CANCELLED, purge_at=now()))
    return bool(ids)
