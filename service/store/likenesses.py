"""Near-identical photos among those with findings, by their perceptual hashes."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from service.fingerprint import NEAR, around, bands, distance, mirrored
from service.store.database import Database
from service.store.reviews import unknown_item
from service.store.tables import Batch, Decision, Fingerprint, Item, Review

_MOST_CANDIDATES = 2000
_AT_ONCE = 500
_BAND_BITS = 16


@dataclass(frozen=True, slots=True)
class Likeness:
    """A photo seen before. ``distance``: bits that differ between the nearest hashes; ``identical``: the same bytes.

    ``entry``: the last entry of the log about it, None when nobody has decided.
    """

    item: int
    distance: int
    identical: bool
    mirrored: bool
    name: str
    listing_id: str | None
    source: str
    judged_at: float
    photo: bool
    state: str
    entry: str | None


def keep(session: Session, item_id: int, values: tuple[int, ...]) -> None:
    """Note the hashes of an item."""
    for part, value in enumerate(values):
        pieces = dict(zip(("band_0", "band_1", "band_2", "band_3"), bands(value), strict=True))
        session.add(Fingerprint(item_id=item_id, part=part, **pieces))


def likenesses(database: Database, item_id: int, limit: int) -> list[Likeness]:
    """Photos nearly identical to that of an item, as they are or mirrored: decided ones first, then the nearest.

    Among very many the newest are looked at.

    Raises ``unknown_item`` and ``store_unavailable``.
    """
    with database.reading() as session:
        if session.get(Review, item_id) is None:
            raise unknown_item()
        found = _found(session, item_id)
        if not found:
            return []
        same = session.execute(
            select(Item.id).where(Item.sha256 == select(Item.sha256).where(Item.id == item_id).scalar_subquery())
        ).scalars()
        identical = set(same)
        nearest = _first(session, found, identical, limit)
        rows = session.execute(
            select(
                Item.id, Item.name, Item.listing_id, Batch.source, Review.judged_at, Item.photo, Review.state,
                Decision.entry,
            )
            .join(Review, Review.item_id == Item.id)
            .join(Batch, Batch.id == Item.batch_id)
            .outerjoin(Decision, Decision.seq == Review.last_seq)
            .where(Item.id.in_(nearest))
        ).all()  # fmt: skip
    seen = [Likeness(row.id, found[row.id][0], row.id in identical, found[row.id][1], *row[1:]) for row in rows]
    return sorted(seen, key=lambda one: nearest.index(one.item))


def _found(session: Session, item_id: int) -> dict[int, tuple[int, bool]]:
    """Other items near to this one: the distance of the nearest hashes, and whether they are mirrored."""
    found: dict[int, tuple[int, bool]] = {}
    for own in session.scalars(select(Fingerprint).where(Fingerprint.item_id == item_id)).all():
        value = _value(own)
        for near in (_near(session, value, False), _near(session, mirrored(value), True)):
            for item, fields in near.items():
                found[item] = min(fields, found.get(item, fields))
    found.pop(item_id, None)
    return found


def _first(session: Session, found: dict[int, tuple[int, bool]], identical: set[int], limit: int) -> list[int]:
    """Decided ones, then the same bytes, then the nearest, then the latest."""
    decided = set[int]()
    numbers = list(found)
    for start in range(0, len(numbers), _AT_ONCE):
        some = Review.item_id.in_(numbers[start : start + _AT_ONCE])
        decided.update(session.scalars(select(Review.item_id).where(some, Review.last_seq.is_not(None))))
    ranks = {item: (item not in decided, item not in identical, bits, -item) for item, (bits, _) in found.items()}
    return sorted(ranks, key=ranks.__getitem__)[:limit]


def _near(session: Session, value: int, flipped: bool) -> dict[int, tuple[int, bool]]:
    """Items whose hash is at most ``NEAR`` bits away, with the distance."""
    columns: tuple[Any, ...] = (Fingerprint.band_0, Fingerprint.band_1, Fingerprint.band_2, Fingerprint.band_3)
    alike: list[ColumnElement[bool]] = [
        column.in_(around(band)) for column, band in zip(columns, bands(value), strict=True)
    ]
    newest = select(Fingerprint.item_id, *columns).where(or_(*alike)).order_by(Fingerprint.item_id.desc())
    rows = session.execute(newest.limit(_MOST_CANDIDATES)).all()
    found: dict[int, tuple[int, bool]] = {}
    for row in rows:
        bits = distance(_value(row), value)
        if bits <= NEAR:
            found[row.item_id] = min((bits, flipped), found.get(row.item_id, (bits, flipped)))
    return found


def _value(row: Any) -> int:
    pieces = (row.band_0, row.band_1, row.band_2, row.band_3)
    return sum(piece << (_BAND_BITS * number) for number, piece in enumerate(pieces))
