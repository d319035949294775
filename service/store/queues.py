"""Which photos of the queue are wanted, in its order: found by the index that leads past the fewest others."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from service.store.database import is_postgresql
from service.store.tables import Item, Review, ReviewCategory

# so many photos that one filter leaves are looked through for what another one wants
_FEW = 1_000


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
    query, place = _led(session, wanted)
    if wanted.since is not None:
        query = query.where(place.judged_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(place.judged_at < wanted.until)
    return query.order_by(place.rank.desc(), place.probability.desc(), place.judged_at, place.item_id)


def pressing(review: Review) -> tuple[float, float, float, int]:
    """The order of :func:`ordered`."""
    return -review.rank, -review.probability, review.judged_at, review.item_id


def _led(session: Session, wanted: Wanted) -> tuple[Select[Review], type[Review] | type[ReviewCategory]]:
    """The query without its order and span, and where both are read."""
    lead, others = _lead(session, wanted), list[ColumnElement[bool]]()
    for column, value in ((Review.batch_id, wanted.batch_id), (Review.source, wanted.source)):
        if value is not None:
            others.append(column == value if lead is column else _not_led(session, column, value))
    if wanted.category is not None and lead is not ReviewCategory.category:
        shown = select(ReviewCategory).where(ReviewCategory.item_id == Review.item_id)
        others.append(shown.where(ReviewCategory.category == wanted.category).exists())
    query = select(Review).where(*others)
    if wanted.listing_id is not None:
        theirs = Review.item_id.in_(select(Item.id).where(Item.listing_id == wanted.listing_id))
        return query.where(theirs, _not_led(session, Review.state, wanted.state)), Review
    if lead is ReviewCategory.category:
        led = (ReviewCategory.category == wanted.category, ReviewCategory.state == wanted.state)
        query = query.join(ReviewCategory, ReviewCategory.item_id == Review.item_id).where(*led)
        # asked of the review too: who locks it must see that another one has just decided
        return query.where(_not_led(session, Review.state, wanted.state)), ReviewCategory
    return query.where(Review.state == wanted.state), Review


def _lead(session: Session, wanted: Wanted) -> InstrumentedAttribute[str] | None:
    """Whose index is read: that of the filter which leaves the fewest; of a state alone, or a listing, None."""
    if wanted.listing_id is not None:
        return None
    given = [
        (place, column, value)
        for place, column, value in (
            (Review, Review.batch_id, wanted.batch_id),
            (ReviewCategory, ReviewCategory.category, wanted.category),
            (Review, Review.source, wanted.source),
        )
        if value is not None
    ]
    sizes = dict[InstrumentedAttribute[str], int]()
    for place, column, value in given if len(given) > 1 else ():
        some = select(place.item_id).where(column == value, place.state == wanted.state).limit(_FEW).subquery()
        sizes[column] = session.scalar(select(func.count()).select_from(some)) or 0
    return min((column for _, column, _ in given), key=lambda column: sizes.get(column, 0), default=None)


def _not_led(session: Session, column: InstrumentedAttribute[str], value: str) -> ColumnElement[bool]:
    """That a column has a value, asked of each row: SQLite would take its index for the one to read. PostgreSQL knows
    which one to take, as long as it knows how many rows have the value."""
    return column == value if is_postgresql(session.connection()) else func.coalesce(column, "") == value
