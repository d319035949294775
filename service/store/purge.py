"""Which photos have had their time."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Update, and_, func, or_, select, update
from sqlalchemy.orm import Session

from service.errors import FaunalensError
from service.store.clock import Watch, now
from service.store.database import Database, is_full
from service.store.photos import Photos
from service.store.states import ItemState
from service.store.tables import LEAVING, Batch, Item

AT_ONCE = 500
"""Photos removed by one call of :func:`purge`, and folders asked about in one question, at most."""
_OLDEST = 20 * AT_ONCE


class _Place(NamedTuple):
    id: int
    batch_id: str
    position: int


def purge(database: Database, photos: Photos) -> int:
    """Remove some of the photos whose time has passed longest; returns how many.

    First they are marked as leaving, as far as nobody has prolonged their time meanwhile, then the files go, and the
    rows are told at last: a kill in between repeats the removal. A batch whose photos cannot be removed does not keep
    those of others; raises its :class:`OSError` at the end.
    """
    due = _due(database)
    if not due:
        return 0
    try:
        with database.writing() as session:
            leaving = _still(session, due)
            session.execute(_of([item.id for item in leaving]).values(purge_at=LEAVING))
    except FaunalensError as error:
        if not is_full(error):
            raise
        # what is removed makes the room to tell of it; until then nobody else may decide
        with database.writing() as session:
            gone, failed = _remove(photos, _still(session, due))
            session.execute(_of(gone).values(photo=False, purge_at=now()))
    else:
        gone, failed = _remove(photos, leaving)
        with database.writing() as session:
            session.execute(_of(gone).values(photo=False, purge_at=now()))
    if failed:
        raise failed
    return len(gone)


def _due(database: Database) -> Sequence[int]:
    """Some of the photos whose time has passed longest."""
    oldest = select(Item.id).where(_passed()).order_by(Item.purge_at).limit(_OLDEST).subquery()
    with database.reading() as session:
        return session.scalars(select(oldest).order_by(func.random()).limit(AT_ONCE)).all()


def _still(session: Session, due: Sequence[int]) -> list[_Place]:
    """Those whose time was not prolonged since; what a decision has locked is left for the next time."""
    query = select(Item.id, Item.batch_id, Item.position).where(Item.id.in_(due), _passed())
    return [_Place(*row) for row in session.execute(query.with_for_update(skip_locked=True)).all()]


def _remove(photos: Photos, leaving: Sequence[_Place]) -> tuple[list[int], OSError | None]:
    """The numbers of those that are gone, and what went wrong last."""
    by_batch = defaultdict[str, dict[int, int]](dict)
    for item in leaving:
        by_batch[item.batch_id][item.id] = item.position
    gone, failed = list[int](), None
    for batch_id, positions in by_batch.items():
        try:
            photos.delete(batch_id, *positions.values())
            gone += positions
        except OSError as error:
            failed = error
    return gone, failed


def _passed() -> ColumnElement[bool]:
    return and_(Item.photo, Item.purge_at <= now())


def _of(ids: Sequence[int]) -> Update:
    return update(Item).where(Item.id.in_(ids))


class Sweeper:
    """Removes folders untouched for ``seconds`` whose batch does not exist, or keeps no photo and gets none any more.

    Only those that were so at the last look too. A clock that was put forward makes what comes in just now old: by how
    far it was, folders must be older.
    """

    def __init__(self, database: Database, photos: Photos, seconds: float) -> None:
        self._database = database
        self._photos = photos
        self._seconds = seconds
        self._before = set[str]()
        self._watch = Watch()

    def look(self) -> None:
        """Remove what was found the last time; raises :class:`OSError` and ``store_unavailable``."""
        old = set(self._photos.older_than(self._seconds + self._watch.ahead()))
        # after theirs: a batch may have been made meanwhile
        folders = sorted(old)
        for start in range(0, len(folders), AT_ONCE):
            old -= self._needed(folders[start : start + AT_ONCE])
        before, self._before = self._before, set()
        for batch_id in old & before:
            self._photos.delete_batch(batch_id)
        self._before = old - before

    def _needed(self, batch_ids: Sequence[str]) -> set[str]:
        """Those batches that keep photos, or get some yet."""
        of_batch = select(Item.id).where(Item.batch_id == Batch.id)
        coming = of_batch.where(Item.state.in_((ItemState.WAITING, ItemState.RUNNING))).exists()
        wanted = or_(of_batch.where(Item.photo).exists(), coming)
        with self._database.reading() as session:
            return set(session.scalars(select(Batch.id).where(Batch.id.in_(batch_ids), wanted)))
