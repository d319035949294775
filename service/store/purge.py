"""Which photos have had their time."""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import func, select, update

from service.store.clock import now
from service.store.database import Database
from service.store.photos import Photos
from service.store.tables import Item

_AT_ONCE = 500


def purge(database: Database, photos: Photos) -> int:
    """Remove photos past their time, and folders of uploads that never became a batch; returns how many photos.

    The file goes first and the row is told after: a kill in between repeats the removal. A batch whose photos cannot be
    removed does not keep those of others; raises its :class:`OSError` at the end.
    """
    query = select(Item.id, Item.batch_id, Item.position).where(Item.photo, Item.purge_at <= now())
    with database.reading() as session:
        found = session.execute(query.order_by(func.random()).limit(_AT_ONCE)).all()
    by_batch = defaultdict[str, dict[int, int]](dict)
    for item_id, batch_id, position in found:
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
            session.execute(update(Item).where(Item.id.in_(gone)).values(photo=False))
    if failed:
        raise failed
    return len(gone)


def sweep(database: Database, photos: Photos, seconds: float, before: Collection[str]) -> set[str]:
    """Remove folders untouched for ``seconds`` whose batch does not exist or keeps no photo.

    Only those that were so at the last look, ``before``: a clock that was put forward makes what comes in just now old,
    until its next photo. Returns those that are to be removed at the next look.
    """
    found = set()
    for batch_id in photos.older_than(seconds):
        with database.reading() as session:
            kept = session.execute(select(Item.id).where(Item.batch_id == batch_id, Item.photo).limit(1)).first()
        if kept is None and batch_id in before:
            photos.delete_batch(batch_id)
        elif kept is None:
            found.add(batch_id)
    return found
