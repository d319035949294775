"""Which photos of the queue are wanted, in its order: each combination of filters has an index that leads past no
others, but of days."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, false, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from service.store.database import is_postgresql
from service.store.tables import Batch, Item, Review, ReviewCategory

_Place = type[Review] | type[ReviewCategory]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which photos: of a state, and if given of a category, batch, source or listing, judged from ``since`` on and
    before ``until`` (seconds since the epoch)."""

    state: str = "open"
    category: str | None = None
    batch_id: str | None = None
    source: str | None = None
    listing_id: str | None = None
    since: float | None = None
    until: float | None = None


def ordered(session: Session, wanted: Wanted) -> Select[Review]:
    """The photos wanted, the most pressing first: by verdict, probability and age."""
    place: _Place = Review
    if wanted.listing_id is not None:
        query = _of_listing(session, wanted)
    elif wanted.category is not None:
        place = ReviewCategory
        query = _of_category(session, wanted).where(*_of_batch(session, place, wanted))
    else:
        query = select(Review).where(Review.state == wanted.state, *_of_batch(session, Review, wanted))
    if wanted.since is not None:
        query = query.where(place.judged_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(place.judged_at < wanted.until)
    return query.order_by(place.rank.desc(), place.probability.desc(), place.judged_at, place.item_id)


def pressing(review: Review) -> tuple[float, float, float, int]:
    """The order of :func:`ordered`."""
    return -review.rank, -review.probability, review.judged_at, review.item_id


def _of_category(session: Session, wanted: Wanted) -> Select[Review]:
    query = select(Review).join(ReviewCategory, ReviewCategory.item_id == Review.item_id)
    led = (ReviewCategory.category == wanted.category, ReviewCategory.state == wanted.state)
    # asked of the review too: who locks it must see that another one has just decided
    return query.where(*led, _not_led(session, Review.state, wanted.state))


def _of_batch(session: Session, place: _Place, wanted: Wanted) -> list[ColumnElement[bool]]:
    """That photos are of a batch, or else of a source; what is of both is all of the batch, or nothing."""
    if wanted.batch_id is None:
        return [] if wanted.source is None else [place.source == wanted.source]
    batch = session.get(Batch, wanted.batch_id) if wanted.source is not None else None
    if wanted.source is not None and (batch is None or batch.source != wanted.source):
        return [false()]
    return [place.batch_id == wanted.batch_id]


def _of_listing(session: Session, wanted: Wanted) -> Select[Review]:
    query = select(Review).where(Review.item_id.in_(select(Item.id).where(Item.listing_id == wanted.listing_id)))
    for column, value in (
        (Review.state, wanted.state), (Review.batch_id, wanted.batch_id), (Review.source, wanted.source)
    ):  # fmt: skip
        if value is not None:
            query = query.where(_not_led(session, column, value))
    if wanted.category is None:
        return query
    shown = select(ReviewCategory).where(ReviewCategory.item_id == Review.item_id)
    return query.where(shown.where(ReviewCategory.category == wanted.category).exists())


def _not_led(session: Session, column: InstrumentedAttribute[str], value: str) -> ColumnElement[bool]:
    """That a column has a value, asked of each row: SQLite would take its index for the one to read. PostgreSQL knows
    which one to take, as long as it knows how many rows have the value."""
    return column == value if is_postgresql(session.connection()) else func.coalesce(column, "") == value
