"""Near-identical photos among those with findings, by their perceptual hashes.

A queue may hold the same photo thousands of times, so hashes are compared, of which there are few, and not photos.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import CTE, Integer, Select, and_, column, func, or_, select, values
from sqlalchemy.orm import InstrumentedAttribute, Session

from service.fingerprint import NEAR, around, bands, joined, mirrored, ones
from service.store.database import Database
from service.store.reviews import unknown_item
from service.store.tables import Batch, Decision, Fingerprint, Item, Review

_MOST_CANDIDATES = 16_000
_MOST_HASHES = 500
_BANDS: tuple[InstrumentedAttribute[int], ...] = (
    Fingerprint.band_0, Fingerprint.band_1, Fingerprint.band_2, Fingerprint.band_3,
)  # fmt: skip


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
    photo: bool
    state: str
    entry: str | None


def keep(session: Session, item_id: int, values: tuple[int, ...]) -> None:
    """Note the hashes of an item."""
    for part, value in enumerate(values):
        pieces = {band.key: piece for band, piece in zip(_BANDS, bands(value), strict=True)}
        session.add(Fingerprint(item_id=item_id, part=part, **pieces))


def likenesses(database: Database, item_id: int, limit: int) -> list[Likeness]:
    """Photos nearly identical to that of an item, as they are or mirrored, at most ``limit``.

    Decided ones first, then the same bytes, then the nearest, then the latest. Among very many different hashes the
    newest are looked at.

    Raises ``unknown_item`` and ``store_unavailable``.
    """
    with database.reading() as session:
        if session.get(Review, item_id) is None:
            raise unknown_item()
        near = _near(session, item_id)
        if not near:
            return []
        rows = session.execute(_shown(near, item_id, limit)).all()
    return [
        Likeness(
            row.id, row.rank // 2, bool(row.same), bool(row.rank % 2), row.name, row.listing_id, row.source, row.photo,
            row.state, row.entry,
        )
        for row in rows
    ]  # fmt: skip


def _own(session: Session, item_id: int) -> list[int]:
    """The hashes of an item."""
    rows = session.execute(select(*_BANDS).where(Fingerprint.item_id == item_id)).all()
    return [joined(row) for row in rows]


def _near(session: Session, item_id: int) -> list[tuple[int, ...]]:
    """Hashes of other items at most ``NEAR`` bits from one of this item: four pieces, and twice the distance, plus one
    where it is the mirrored photo that is so near. The nearest first, at most ``_MOST_HASHES``."""
    own = _own(session, item_id)
    if not own:
        return []
    wanted = [*own, *map(mirrored, own)]
    pieces = zip(_BANDS, zip(*map(bands, wanted), strict=True), strict=True)
    alike = [band.in_({near for piece in all_of for near in around(piece)}) for band, all_of in pieces]
    newest = func.max(Fingerprint.item_id).desc()
    others = select(*_BANDS).where(or_(*alike), Fingerprint.item_id != item_id)
    query = others.group_by(*_BANDS).order_by(newest).limit(_MOST_CANDIDATES)
    # plain tuples: numpy looks for attributes of each row, which takes longer than all else here
    rows = [tuple(row) for row in session.execute(query)]
    found = np.array(rows, dtype=np.uint16).reshape(-1, len(_BANDS))
    sought = np.array([bands(value) for value in wanted], dtype=np.uint16)
    differing = (np.bitwise_xor.outer(*pair) for pair in zip(found.T, sought.T, strict=True))
    distances = np.sum([ones(pieces) for pieces in differing], axis=0, dtype=np.int64)
    ranks = (2 * distances + (np.arange(len(wanted)) >= len(own))).min(axis=1)
    chosen = [place for place in np.argsort(ranks, kind="stable") if ranks[place] // 2 <= NEAR]
    return [(*found[place].tolist(), int(ranks[place])) for place in chosen[:_MOST_HASHES]]


def _shown(near: Sequence[tuple[int, ...]], item_id: int, limit: int) -> Select[tuple[object, ...]]:
    """The first of the other items that have one of the hashes ``near``, in the order in which they are shown."""
    hashes = _table(near)
    ranks = (
        select(Fingerprint.item_id, func.min(hashes.c.rank).label("rank"))
        .join(hashes, and_(*(band == hashes.c[band.key] for band in _BANDS)))
        .where(Fingerprint.item_id != item_id)
        .group_by(Fingerprint.item_id)
        .subquery()
    )
    own = select(Item.sha256).where(Item.id == item_id).scalar_subquery()
    same = func.coalesce(Item.sha256 == own, False).label("same")
    undecided = Review.last_seq.is_(None).label("undecided")
    first = (
        select(Item.id, ranks.c.rank, same, undecided)
        .join(ranks, ranks.c.item_id == Item.id)
        .join(Review, Review.item_id == Item.id)
        .order_by(undecided, same.desc(), ranks.c.rank // 2, Item.id.desc())
        .limit(limit)
        .subquery()
    )
    # what is long is read for these only
    return (
        select(
            first.c.id, first.c.rank, first.c.same, Item.name, Item.listing_id, Batch.source, Item.photo, Review.state,
            Decision.entry,
        )
        .join(Item, Item.id == first.c.id)
        .join(Review, Review.item_id == Item.id)
        .join(Batch, Batch.id == Item.batch_id)
        .outerjoin(Decision, Decision.seq == Review.last_seq)
        .order_by(first.c.undecided, first.c.same.desc(), first.c.rank // 2, Item.id.desc())
    )  # fmt: skip


def _table(near: Sequence[tuple[int, ...]]) -> CTE:
    columns = (*(column(band.key, Integer) for band in _BANDS), column("rank", Integer))
    return values(*columns, name="near").data(near).cte("near_hashes")
