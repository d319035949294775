"""Making, watching and cancelling batches."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from service.store import cancelled, outbox
from service.store.clock import now
from service.store.database import Database, is_postgresql
from service.store.idempotency import Once, earlier, known, note
from service.store.progress import Progress, Status, unknown_batch
from service.store.states import BatchState, ItemState
from service.store.tables import Batch, Decision, Item

_ROWS = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture that comes into a batch. ``refusal``: JSON of the error that it met at the door."""

    name: str
    listing_id: str | None = None
    url: str | None = None
    refusal: str | None = None
    photo: bool = False


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch to be made; see :class:`service.store.tables.Batch`. ``listing_id``: of pictures that name none;
    ``key``: names the request, see :mod:`service.store.idempotency`."""

    owner: str
    policy: str
    source: str = ""
    webhook: str | None = None
    listing_id: str | None = None
    key: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


class Batches:
    """The batches of a database. Methods raise ``store_unavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, new: NewBatch, entries: Sequence[Entry], fingerprint: str = "") -> Batch:
        """Keep a batch with all its items, in one transaction; or the one that the first request of its key made.

        ``fingerprint``: digest of what it holds. Raises ``idempotency_key_reused``.
        """
        once = None if new.key is None else Once(new.owner, new.key, fingerprint)
        moment = now()
        rows: list[dict[str, object]] = [
            {
                "batch_id": new.id, "position": position, "name": entry.name, "listing_id": entry.listing_id,
                "url": entry.url, "refusal": entry.refusal, "photo": entry.photo, "state": ItemState.WAITING,
                "attempts": 0, "not_before": 0.0,
            }
            for position, entry in enumerate(entries)
        ]  # fmt: skip
        with self._database.writing() as session:
            if once and (first := earlier(session, once)) and (made := session.get(Batch, first)):
                return made
            _number(session, rows)
            batch = Batch(
                id=new.id, owner=new.owner, policy=new.policy, source=new.source, webhook=new.webhook,
                state=BatchState.RUNNING, total=len(rows), finished=0, created_at=moment, turn_at=0.0,
            )  # fmt: skip
            session.add(batch)
            session.flush()
            for start in range(0, len(rows), _ROWS):
                _insert(session, rows[start : start + _ROWS])
            if once:
                note(session, once, new.id)
        return batch

    def find(self, batch_id: str) -> Batch | None:
        """The batch, if it is there."""
        with self._database.reading() as session:
            return session.get(Batch, batch_id)

    def is_known(self, owner: str, key: str) -> bool:
        """Whether a request of this key has made something lately."""
        with self._database.reading() as session:
            return known(session, owner, key) is not None

    def await_photos(self) -> bool:
        """Whether pictures that are not judged yet have their photos in the store."""
        query = select(Item.id).where(Item.photo, Item.state.in_((ItemState.WAITING, ItemState.RUNNING))).limit(1)
        with self._database.reading() as session:
            return session.execute(query).first() is not None

    def get(self, batch_id: str, owner: str | None) -> Batch:
        """The batch, if it is ``owner``'s (None: whoever made it); raises ``unknown_batch``."""
        batch = self.find(batch_id)
        if batch is None or owner not in (None, batch.owner):
            raise unknown_batch()
        return batch

    def newest(self, owner: str | None, limit: int, before: float) -> list[Batch]:
        """Up to ``limit`` batches made before a time, the newest first."""
        query = select(Batch).where(Batch.created_at < before).order_by(Batch.created_at.desc()).limit(limit)
        if owner is not None:
            query = query.where(Batch.owner == owner)
        with self._database.reading() as session:
            return list(session.scalars(query))

    def watch(self, batch_id: str, owner: str | None) -> Progress:
        """The batch with its counts, to be looked at again and again."""
        return Progress(self._database, batch_id, owner)

    def status(self, batch_id: str, owner: str | None) -> Status:
        """The same once; raises ``unknown_batch``."""
        return self.watch(batch_id, owner).look()

    def cancel(self, batch_id: str) -> bool:
        """Judge no further item; those under way get their result. False: it had ended already.

        The items that wait are cancelled slice by slice: the first slice here, the others by :mod:`.cancelled`.
        """
        with self._database.writing() as session:
            done = session.execute(
                update(Batch)
                .where(Batch.id == batch_id, Batch.state == BatchState.RUNNING)
                .values(state=BatchState.CANCELLED, finished_at=now())
                .returning(Batch.webhook, Batch.total, Batch.finished)
            ).one_or_none()
            if done is None:
                return False
            if done.webhook:
                outbox.put_finished(session, batch_id, done.webhook, BatchState.CANCELLED, done.total, done.finished)
        cancelled.drop(self._database, batch_id)
        return True


def _insert(session: Session, rows: Sequence[dict[str, object]]) -> None:
    """Put items in. pg8000 would ask the server for each; rows that give something back are asked for together."""
    if is_postgresql(session.connection()):
        session.execute(insert(Item).returning(Item.position), rows)
    else:
        session.execute(insert(Item), rows)


def _number(session: Session, rows: Sequence[dict[str, object]]) -> None:
    """Give new items numbers of their own: SQLite would take those of removed ones, of which the log still tells."""
    if not is_postgresql(session.connection()):
        last = max(session.scalar(select(func.max(number))) or 0 for number in (Item.id, Decision.item_id))
        for number, row in enumerate(rows, last + 1):
            row["id"] = number
