"""A fixed number of slots, of which a few flows leave some to a newcomer: who holds more than are free gets no other.

This is the dynamic threshold of Choudhury and Hahne (IEEE/ACM Transactions on Networking 6(2), 1998): one flow alone
gets half, two get a third each. Who is a flow, see :mod:`service.runtime.fairline`.
"""

import contextlib
from collections.abc import Iterator

from service.errors import ErrorCode, FaunalensError


class Slots:
    """``most`` slots. Not thread-safe: all calls come from the event loop."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._held: dict[str, int] = {}

    @property
    def of_largest(self) -> int:
        """Slots of the flow that holds most."""
        return max(self._held.values(), default=0)

    def has_room(self, flow: str) -> bool:
        """Whether ``flow`` may take a slot."""
        free = self.most - self.taken
        return free > 0 and self._held.get(flow, 0) <= free

    def take(self, flow: str) -> None:
        """Take a slot, for which there is room."""
        self.taken += 1
        self._held[flow] = self._held.get(flow, 0) + 1

    def give_back(self, flow: str) -> None:
        """Give a slot back, once."""
        self.taken -= 1
        left = self._held[flow] - 1
        if left:
            self._held[flow] = left
        else:
            del self._held[flow]

    @contextlib.contextmanager
    def held(self, flow: str, full: str) -> Iterator[None]:
        """One slot, while it is held; raises ``overloaded``, which says what is ``full``."""
        if not self.has_room(flow):
            raise FaunalensError(ErrorCode.OVERLOADED, f"{full}; try again shortly.")
        self.take(flow)
        try:
            yield
        finally:
            self.give_back(flow)
