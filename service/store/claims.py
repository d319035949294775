"""Who judges an item: claims under a lease, and results written once.

An item is taken by a conditional update and held for a lease that its owner renews. A process that dies stops renewing,
and the item is taken again: once a process has seen the same lease for as long as a lease takes, by its own monotonic
clock, so that nobody's wall clock has to be right. A result is written only by whoever holds the item, in one
transaction with what comes of it (:mod:`service.store.outcomes`): so nothing is lost, and no item has two results,
wherever a process is killed.
"""

import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Update, func, or_, select, update
from sqlalchemy.orm import Session

from service.store.clock import SLACK, now
from service.store.database import Database
from service.store.outcomes import Outcome, enter
from service.store.states import BatchState, ItemState
from service.store.tables import Batch, Item

_TRIES = 8
# more than anything is put back for: what waits longer does so by a clock that was put back since
_LONGEST_WAIT = 60.0 + SLACK


@dataclass(frozen=True, slots=True)
class Claimed:
    """An item to judge. ``attempts``: how often it was taken, this time included."""

    id: int
    batch_id: str
    position: int
    name: str
    listing_id: str | None
    url: str | None
    refusal: str | None
    policy: str
    source: str
    attempts: int


class Claims:
    """Claims of one process. ``lease``: seconds. Methods raise ``store_unavailable``."""

    def __init__(self, database: Database, lease: float) -> None:
        self._database = database
        self._lease = lease
        self._seen: dict[tuple[int, str | None, float | None], float] = {}
        self.owner = uuid.uuid4().hex

    def take(self) -> Claimed | None:
        """The next item; batches take turns, and inside one the items that were tried least go first."""
        moment = now()
        with self._database.writing() as session:
            item = self._next(session, moment)
            if item is None:
                return None
            item.state, item.attempts = ItemState.RUNNING, item.attempts + 1
            item.lease_owner, item.lease_until = self.owner, moment + self._lease
            session.flush()
            last = select(func.max(Batch.turn_at)).where(Batch.state == BatchState.RUNNING).scalar_subquery()
            batch = session.execute(
                update(Batch).where(Batch.id == item.batch_id, Batch.state == BatchState.RUNNING)
                .values(turn_at=last + 1).returning(Batch.policy, Batch.source)
            ).one_or_none()  # fmt: skip
            if batch is None:
                # it was cancelled in this instant
                session.rollback()
                return None
            return Claimed(
                item.id, item.batch_id, item.position, item.name, item.listing_id, item.url, item.refusal,
                batch.policy, batch.source, item.attempts,
            )  # fmt: skip

    def _next(self, session: Session, moment: float) -> Item | None:
        ready = _ready(moment)
        items = select(Item.id).where(Item.batch_id == Batch.id, *ready)
        batches = select(Batch.id).where(Batch.state == BatchState.RUNNING, items.exists()).order_by(Batch.turn_at)
        for batch_id in session.scalars(batches.limit(8)).all():
            item = session.scalars(
                select(Item)
                .where(Item.batch_id == batch_id, *ready)
                .order_by(Item.attempts, Item.position)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).one_or_none()
            if item is not None:
                return item
        return None

    def any_ready(self) -> bool:
        """Whether there may be something to take; reads only."""
        query = select(Item.id).join(Batch).where(Batch.state == BatchState.RUNNING, *_ready(now()))
        with self._database.reading() as session:
            return session.execute(query.limit(1)).first() is not None

    def renew(self, item_ids: Collection[int]) -> None:
        """Hold these items, as far as they are held, for another lease; others that were taken come free."""
        if not item_ids:
            return
        mine = (Item.id.in_(item_ids), Item.state == ItemState.RUNNING, Item.lease_owner == self.owner)
        with self._database.writing() as session:
            session.execute(update(Item).where(*mine).values(lease_until=now() + self._lease))

    def free(self) -> None:
        """Give back what nobody holds any more; to be called a few times in each lease."""
        held = select(Item.id, Item.lease_owner, Item.lease_until).where(Item.state == ItemState.RUNNING)
        with self._database.reading() as session:
            leases = [(item_id, owner, until) for item_id, owner, until in session.execute(held).all()]
        moment = time.monotonic()
        self._seen = {lease: self._seen.get(lease, moment) for lease in leases}
        late = [lease for lease, since in self._seen.items() if moment - since >= self._lease]
        if not late:
            return
        with self._database.writing() as session:
            for item_id, owner, until in late:
                same = (Item.id == item_id, Item.lease_owner == owner, Item.lease_until == until)
                freed = update(Item).where(*same, Item.state == ItemState.RUNNING)
                session.execute(freed.values(state=ItemState.WAITING, lease_owner=None))

    def put_back(self, claimed: Claimed, seconds: float, counted: bool = True) -> None:
        """Let the item be taken again after ``seconds``. ``counted``: that it was taken counts as an attempt."""
        values = {"state": ItemState.WAITING, "lease_owner": None, "not_before": now() + seconds}
        if not counted:
            values["attempts"] = claimed.attempts - 1
        with self._database.writing() as session:
            session.execute(self._held(claimed).values(**values))

    def finish(self, claimed: Claimed, outcome: Outcome) -> bool:
        """Write the result; false when the item is not held any more: somebody else's result counts then."""
        moment = now()
        with self._database.writing() as session:
            values = outcome.fields(moment)
            held = session.execute(self._held(claimed).values(**values).returning(Item.id)).one_or_none()
            if held is None:
                return False
            enter(session, claimed, outcome, moment)
        return True

    def holds(self, claimed: Claimed) -> bool:
        """Whether the item is still held; once it is not, it never is again for this claim."""
        with self._database.reading() as session:
            return session.execute(select(Item.id).where(*self._same(claimed))).first() is not None

    def worn(self, claimed: Claimed) -> bool:
        """Whether the item was taken so often without a result that it must be what stops the service."""
        return claimed.attempts > _TRIES

    def _held(self, claimed: Claimed) -> Update:
        return update(Item).where(*self._same(claimed))

    def _same(self, claimed: Claimed) -> tuple[ColumnElement[bool], ...]:
        # another thread of this process may have taken it again: its claim is another attempt
        return (
            Item.id == claimed.id, Item.state == ItemState.RUNNING, Item.lease_owner == self.owner,
            Item.attempts == claimed.attempts,
        )  # fmt: skip


def _ready(moment: float) -> tuple[ColumnElement[bool], ...]:
    """Items that may be taken."""
    return (
        Item.state == ItemState.WAITING,
        or_(Item.not_before <= moment, Item.not_before > moment + _LONGEST_WAIT),
    )
