"""Results of a batch, page by page, in the order in which they were written."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import select

from service.store.database import Database
from service.store.tables import Item


class Named(Protocol):
    """What names a picture of a batch."""

    @property
    def batch_id(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def listing_id(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Result:
    """One result; ``seq`` is the cursor of the next page, ``record`` the answer or ``{"error": ...}`` as JSON."""

    batch_id: str
    seq: int
    position: int
    name: str
    listing_id: str | None
    record: str

    @property
    def line(self) -> str:
        """The JSON object that is sent."""
        return spliced(self.seq, self, self.record)

    @property
    def fields(self) -> dict[str, Any]:
        """The same, read."""
        fields: dict[str, Any] = json.loads(self.line)
        return fields


def spliced(seq: int, item: Named, record: str) -> str:
    """``record`` with what names its picture before it."""
    head = {
        "seq": seq, "batch_id": item.batch_id, "position": item.position, "file": item.name,
        "listing_id": item.listing_id,
    }  # fmt: skip
    return f"{json.dumps(head)[:-1]}, {record[1:]}"


def page(database: Database, batch_id: str, after: int, limit: int) -> list[Result]:
    """Up to ``limit`` results with a number above ``after``; raises ``store_unavailable``."""
    query = (
        select(Item.seq, Item.position, Item.name, Item.listing_id, Item.record)
        .where(Item.batch_id == batch_id, Item.seq > after)
        .order_by(Item.seq)
        .limit(limit)
    )
    with database.reading() as session:
        rows = session.execute(query).all()
    return [Result(batch_id, seq or 0, position, name, listing, record or "{}")
            for seq, position, name, listing, record in rows]  # fmt: skip
