"""Webhooks that wait to be sent.

A row is written in the transaction of what it tells, so that neither is there without the other; its id stays the same
however often it is sent. This is the transactional outbox.
"""

import itertools
import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select, update
from sqlalchemy.orm import Session

from service.store.clock import SLACK, now
from service.store.database import Database
from service.store.states import DeliveryState
from service.store.tables import Delivery

FINISHED, FINDING = "batch.finished", "finding"
_AT_ONCE = 500
# seconds from the last try on; what was given up can be sent again by hand
_KEPT = {DeliveryState.DELIVERED: 86_400.0, DeliveryState.ABANDONED: 30 * 86_400.0}


@dataclass(frozen=True, slots=True)
class Due:
    """A webhook to send now."""

    id: str
    url: str
    body: str
    attempts: int


def put_finished(session: Session, batch_id: str, url: str, state: str, total: int, finished: int) -> None:
    """Tell that a batch has ended."""
    data = {"batch_id": batch_id, "state": state, "total": total, "finished": finished}
    put(session, batch_id, FINISHED, "batch", url, json.dumps(data))


def put(session: Session, batch_id: str, event: str, subject: str, url: str, data: str) -> None:
    """Tell ``data`` (a JSON object as text)."""
    moment = now()
    head = json.dumps({"type": event, "timestamp": _iso(moment)})
    session.add(
        Delivery(
            id=uuid.uuid4().hex, batch_id=batch_id, event=event, subject=subject, url=url,
            body=f'{head[:-1]}, "data": {data}}}', state=DeliveryState.WAITING, attempts=0, next_at=moment,
            host=urlsplit(url).hostname or "",
        )
    )  # fmt: skip


class Outbox:
    """The webhooks of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, limit: int, lease: float, full: Sequence[str] = ()) -> list[Due]:
        """Webhooks that are due, the oldest first, but none for hosts that are ``full``; nobody else takes them for
        ``lease`` seconds."""
        moment = now()
        query = select(Delivery).where(*_due(moment)).order_by(Delivery.next_at).limit(limit)
        query = query.with_for_update(skip_locked=True)
        with self._database.writing() as session:
            if full:
                hosts = _waiting_longest(session, moment, full, limit)
                of_each = [session.scalars(query.where(Delivery.host == host)).all() for host in hosts]
                found = sorted(itertools.chain(*of_each), key=lambda one: one.next_at)[:limit]
            else:
                found = list(session.scalars(query))
            for delivery in found:
                delivery.next_at = moment + lease
                delivery.attempts += 1
            return [Due(delivery.id, delivery.url, delivery.body, delivery.attempts) for delivery in found]

    def any_due(self, full: Sequence[str] = ()) -> bool:
        """Whether there is something to take; reads only."""
        moment = now()
        with self._database.reading() as session:
            if full:
                return bool(_waiting_longest(session, moment, full, 1))
            return session.execute(select(Delivery.id).where(*_due(moment)).limit(1)).first() is not None

    def catch_up(self, longest: Sequence[float]) -> None:
        """Make due what waits longer than it was told to: the clock was put back since. ``longest``: seconds that a
        webhook may wait, by the number of its tries."""
        moment = now()
        ahead = moment + SLACK
        most = case(dict(enumerate(longest)), value=Delivery.attempts, else_=longest[-1])
        stuck = (
            Delivery.state == DeliveryState.WAITING,
            Delivery.next_at > ahead + min(longest),
            Delivery.next_at > ahead + most,
        )
        with self._database.reading() as session:
            found = session.execute(select(Delivery.id).where(*stuck).limit(1)).first()
        if found:
            with self._database.writing() as session:
                session.execute(update(Delivery).where(*stuck).values(next_at=moment))

    def forget(self) -> bool:
        """Remove some of those that were settled long ago; whether there may be more."""
        moment = now()
        past = or_(*(and_(Delivery.state == state, Delivery.next_at <= moment - kept) for state, kept in _KEPT.items()))
        query = select(Delivery.id).where(past).limit(_AT_ONCE)
        with self._database.reading() as session:
            if session.execute(query.limit(1)).first() is None:
                return False
        with self._database.writing() as session:
            found = session.scalars(query.with_for_update(skip_locked=True)).all()
            session.execute(delete(Delivery).where(Delivery.id.in_(found)))
        return len(found) == _AT_ONCE

    def delivered(self, delivery_id: str) -> None:
        """It was taken by its receiver."""
        self._set(delivery_id, state=DeliveryState.DELIVERED)

    def abandon(self, delivery_id: str) -> None:
        """It was tried often enough."""
        self._set(delivery_id, state=DeliveryState.ABANDONED)

    def again(self, delivery_id: str, seconds: float) -> None:
        """Try again after ``seconds``."""
        self._set(delivery_id, next_at=now() + seconds)

    def _set(self, delivery_id: str, **values: Any) -> None:
        with self._database.writing() as session:
            session.execute(update(Delivery).where(Delivery.id == delivery_id).values(**values))


def _due(moment: float) -> tuple[ColumnElement[bool], ...]:
    return Delivery.state == DeliveryState.WAITING, Delivery.next_at <= moment


def _waiting_longest(session: Session, moment: float, full: Sequence[str], limit: int) -> Sequence[str]:
    """Hosts with due webhooks that are not ``full``, first whose oldest waits longest; one look at an index for each
    host, however many wait for a receiver that hangs."""
    waiting = Delivery.state == DeliveryState.WAITING
    first = select(func.min(Delivery.host).label("host")).where(waiting).cte("hosts", recursive=True)
    following = select(func.min(Delivery.host)).where(waiting, Delivery.host > first.c.host).scalar_subquery()
    hosts = first.union_all(select(following).where(first.c.host.is_not(None)))
    oldest = select(func.min(Delivery.next_at)).where(waiting, Delivery.host == hosts.c.host).scalar_subquery()
    query = select(hosts.c.host).where(hosts.c.host.not_in(full), oldest <= moment).order_by(oldest).limit(limit)
    return session.scalars(query).all()


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
