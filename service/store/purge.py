"""Which photos have had their time."""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import func, or_, select, update

from service.store.clock import now
from service.store.database import Database
from service.store.photos import Photos
from service.store.states import ItemState
from service.store.tables import LEAVING, Item

AT_ONCE = 500
"""Photos removed by one call of :func:`purge` at most."""
_OLDEST = 20 * AT_ONCE


def purge(database: Database, photos: Photos) -> int:
    """Remove some of the photos whose time has passed longest; returns how many.

    First they are marked as leaving, as far as nobody has prolonged their time meanwhile, then the files go, and the
    rows are told at last: a kill in between repeats the removal. A batch whose photos cannot be removed does not keep
    those of others; raises its :class:`OSError` at the end.
    """
    by_batch = defaultdict[str, dict[int, int]](dict)
    for item_id, batch_id, position in _leaving(database):
        by_batch[batch_id][item_id] = position
    gone, failed = list[int](), None
    for batch_id, positions in by_batch.items():
        try:
            photos.delete(batch_id, *positions.values())
            gone += positions
        except OSError as error:
            failed = error
    if gone:
        with database.writing() as session:
            session.execute(update(Item).where(Item.id.in_(gone)).values(photo=False, purge_at=now()))
    if failed:
        raise failed
    return len(gone)


def _leaving(database: Database) -> list[tuple[int, str, int]]:
    """Photos to remove now: number, batch and position. Their time cannot be prolonged any more."""
    due = (Item.photo, Item.purge_at <= now())
    oldest = select(Item.id).where(*due).order_by(Item.purge_at).limit(_OLDEST).subquery()
    with database.reading() as session:
        chosen = session.scalars(select(oldest).order_by(func.random()).limit(AT_ONCE)).all()
    if not chosen:
        return []
    # what a decision has locked is left for the next time
    still = select(Item.id, Item.batch_id, Item.position).where(Item.id.in_(chosen), *due)
    with database.writing() as session:
        found = session.execute(still.with_for_update(skip_locked=True)).all()
        session.execute(update(Item).where(Item.id.in_([row.id for row in found])).values(purge_at=LEAVING))
    return [(item_id, batch_id, position) for item_id, batch_id, position in found]


def sweep(database: Database, photos: Photos, seconds: float, before: Collection[str]) -> set[str]:
    """Remove folders untouched for ``seconds`` whose batch does not exist, or keeps no photo and gets none any more.

    Only those that were so at the last look, ``before``: a clock that was put forward makes what comes in just now old,
    until its next photo. Returns those that are to be removed at the next look.
    """
    old = set(photos.older_than(seconds))
    # one look for all, and after theirs: there are many folders, and a batch may have been made meanwhile
    with database.reading() as session:
        needed = or_(Item.photo, Item.state.in_((ItemState.WAITING, ItemState.RUNNING)))
        old -= set(session.scalars(select(Item.batch_id).where(needed).distinct()))
    for batch_id in old & set(before):
        photos.delete_batch(batch_id)
    return old - set(before)
