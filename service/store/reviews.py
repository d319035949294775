"""The queue of photos with findings, and who has which in front of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from service.errors import ErrorCode, FaunalensError
from service.store.clock import SLACK, now
from service.store.database import Database
from service.store.queues import Wanted, ordered, pressing
from service.store.results import Result
from service.store.states import ReviewState
from service.store.tables import Batch, Decision, Item, Review


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A photo to review. ``claimed_until``: seconds since the epoch, None when nobody has it.

    ``photo``: whether the photo is still kept; ``purge_at``: until when, or since when it is not.
    """

    id: int
    state: str
    source: str
    claimed_by: str | None
    claimed_until: float | None
    photo: bool
    purge_at: float | None
    result: Result

    @property
    def fields(self) -> dict[str, Any]:
        """The result's fields with those of the review."""
        return {"item": self.id, "state": self.state, "source": self.source, **self.result.fields}


class Reviews:
    """The queue of a database. Methods raise ``store_unavailable``. ``seconds``: how long a claim holds.

    A claim is a moderator's in one session, so that two windows of the same moderator never show the same photo.
    """

    def __init__(self, database: Database, seconds: float) -> None:
        self._database = database
        self._seconds = seconds

    def queue(self, wanted: Wanted, limit: int, offset: int = 0) -> list[ReviewItem]:
        """Photos by verdict, probability and age, the most pressing first; claimed ones too."""
        with self._database.reading(one_look=True) as session:
            # by their numbers, which the index has: the rows of those before the page would take ten times as long
            page = ordered(session, wanted).with_only_columns(Review.item_id).limit(limit).offset(offset)
            ids = session.scalars(page).all()
            found = {one.item_id: one for one in session.scalars(select(Review).where(Review.item_id.in_(ids)))}
            return _items(session, [found[item_id] for item_id in ids])

    def one(self, item_id: int) -> ReviewItem:
        """A photo; raises ``unknown_item``."""
        with self._database.reading() as session:
            found = _items(session, session.scalars(select(Review).where(Review.item_id == item_id)).all())
        if not found:
            raise unknown_item()
        return found[0]

    def claim(
        self, moderator: str, wanted: Wanted, limit: int, session_id: str = "", without: Sequence[int] = ()
    ) -> list[ReviewItem]:
        """Take the next photos that nobody else has; those that are the session's already come again, prolonged.

        None of ``without``, which are given back. Nobody gets a photo to give a second opinion on their own first.
        """
        moment, who = now(), holder(moderator, session_id)
        with self._database.writing() as session:
            others = Review.item_id.not_in(without)
            given_back = set(without)
            for review in session.scalars(locked(Review.claimed_by == who, Review.claimed_until > moment)).all():
                review.claimed_until = moment + self._seconds
                if review.item_id in given_back:
                    review.claimed_by, review.claimed_until = None, 0.0
            query = ordered(session, wanted).where(others)
            held = session.scalars(query.where(Review.claimed_by == who, Review.claimed_until > moment)).all()
            # no claim that was made until now ends later, unless the clock was put back since
            longest = self._seconds + SLACK
            over = or_(Review.claimed_until <= moment, Review.claimed_until > moment + longest)
            free = query.where(over)
            if wanted.state == ReviewState.SECOND:
                own = select(Decision).where(Decision.seq == Review.first_seq, Decision.moderator == moderator)
                free = free.where(~own.exists())
            more = max(0, limit - len(held))
            taken = session.scalars(free.limit(more).with_for_update(of=Review, skip_locked=True)).all()
            for review in taken:
                review.claimed_by, review.claimed_until = who, moment + self._seconds
            session.flush()
            return _items(session, sorted([*held, *taken], key=pressing)[:limit])

    def release(self, moderator: str, session_id: str = "") -> int:
        """Give back what the session has taken; returns how many."""
        who = holder(moderator, session_id)
        with self._database.writing() as session:
            held = session.scalars(locked(Review.claimed_by == who, Review.claimed_until > now())).all()
            for review in held:
                review.claimed_by, review.claimed_until = None, 0.0
            return len(held)


def holder(moderator: str, session_id: str) -> str:
    """Who holds a claim."""
    return f"{moderator}.{session_id}" if session_id else moderator


def locked(*wanted: ColumnElement[bool]) -> Select[Review]:
    """Photos, locked one after the other in one order everywhere, so that no two transactions wait for each other."""
    return select(Review).where(*wanted).order_by(Review.item_id).with_for_update()


def unknown_item() -> FaunalensError:
    """No such photo in the queue."""
    return FaunalensError(ErrorCode.UNKNOWN_ITEM, "There is no such photo to review.")


def shown_record(review: Review, item: Item) -> str:
    """The result as moderators see it: a photo of the random sample looks like one with a finding."""
    record = item.record or "{}"
    if review.candidate is None:
        return record
    return json.dumps({**json.loads(record), "verdict": "review", "findings": [json.loads(review.candidate)]})


def _items(session: Session, reviews: Sequence[Review]) -> list[ReviewItem]:
    """The reviews with their items, in the same order. Results are long, so they are read for these only."""
    query = select(Item, Batch.source).join(Batch).where(Item.id.in_([review.item_id for review in reviews]))
    found = {item.id: (item, source) for item, source in session.execute(query).all()}
    return [_item(review, *found[review.item_id]) for review in reviews]


def _item(review: Review, item: Item, source: str) -> ReviewItem:
    taken = review.claimed_until > now()
    record = shown_record(review, item)
    result = Result(item.batch_id, item.seq or 0, item.position, item.name, item.listing_id, record)
    return ReviewItem(
        item.id, review.state, source, review.claimed_by if taken else None, review.claimed_until if taken else None,
        item.photo, item.purge_at, result,
    )  # fmt: skip
