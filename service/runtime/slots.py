"""A fixed number of slots, of which a few flows leave some to a newcomer: who holds more than are free gets no other.

This is the dynamic threshold of Choudhury and Hahne (IEEE/ACM Transactions on Networking 6(2), 1998): one flow alone
gets half, two get a third each. Who is a flow, see :mod:`service.runtime.fairline`.
"""

import contextlib
from collections.abc import Iterator

from service.errors import ErrorCode, FaunalensError


class Slots:
    """``most`` slots, or bytes. Not thread-safe: all calls come from the event loop."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._held: dict[str, int] = {}

    @property
    def of_largest(self) -> int:
        """Slots of the flow that holds most."""
        return max(self._held.values(), default=0)

    def has_room(self, flow: str, count: int = 1, own: int = 0) -> bool:
        """Whether ``flow`` may take ``count`` slots. ``own``: those that it holds for the same request do not tell."""
        free = self.most - self.taken
        return count <= free and self._held.get(flow, 0) - own <= free

    def take(self, flow: str, count: int = 1) -> None:
        """Take slots, for which there is room."""
        self.taken += count
        self._held[flow] = self._held.get(flow, 0) + count

    def claim(self, flow: str, full: str, count: int = 1, own: int = 0) -> None:
        """Take slots; raises ``overloaded``, which says what is ``full``, where :meth:`has_room` says no."""
        if not self.has_room(flow, count, own):
            raise FaunalensError(ErrorCode.OVERLOADED, f"{full}; try again shortly.")
        self.take(flow, count)

    def give_back(self, flow: str, count: int = 1) -> None:
        """Give slots back, once."""
        self.taken -= count
        left = self._held[flow] - count
        if left:
            self._held[flow] = left
        else:
            del self._held[flow]

    @contextlib.contextmanager
    def held(self, flow: str, full: str) -> Iterator[None]:
        """One slot, while it is held; raises as :meth:`claim` does."""
        self.claim(flow, full)
        try:
            yield
        finally:
            self.give_back(flow)
