"""Long answers, read from the store page after page by the ``seq`` of the last row."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol, TypeVar

_PAGE = 500
# the largest number of a row: PostgreSQL refuses to compare with a larger one
_LAST = 2**31 - 1


class Numbered(Protocol):
    """A row with its place."""

    @property
    def seq(self) -> int:
        """Its number; the next row's is higher."""


Row = TypeVar("Row", bound=Numbered)


async def pages(
    read: Callable[[int, int], Sequence[Row]], cursor: int, limit: int | None
) -> AsyncIterator[Sequence[Row]]:
    """Pages of the rows after ``cursor``, at most ``limit`` rows in all.

    ``read(after, most)`` runs in a thread. The first page is read before this returns, so that its errors are raised
    here and not in the middle of an answer.
    """
    first = await asyncio.to_thread(read, min(cursor, _LAST), min(limit or _PAGE, _PAGE))

    async def following() -> AsyncIterator[Sequence[Row]]:
        rows, sent = first, 0
        while rows:
            yield rows
            sent += len(rows)
            most = _PAGE if limit is None else min(_PAGE, limit - sent)
            if most <= 0:
                return
            rows = await asyncio.to_thread(read, rows[-1].seq, most)

    return following()
