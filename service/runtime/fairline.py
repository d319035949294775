"""A waiting line that is fair between flows: first come, first served inside a flow, flows take turns.

A flow is whoever sends: an API key, or a client's address where keys are off. Taking turns is round robin (Nagle, RFC
970): a flow with a thousand jobs and a flow with one wait at most one job for each other.
"""

from collections import OrderedDict, deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairLine(Generic[Item]):
    """The line. Items are compared by identity or equality when they leave early; see :meth:`discard`."""

    def __init__(self) -> None:
        self._flows: OrderedDict[str, deque[Item]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def push(self, flow: str, item: Item) -> None:
        """Put ``item`` at the end of its flow."""
        self._flows.setdefault(flow, deque()).append(item)
        self._length += 1

    def pop(self) -> Item:
        """The next item of the flow whose turn it is; raises :class:`IndexError` when nobody waits."""
        if not self._flows:
            raise IndexError("the line is empty")
        flow, items = next(iter(self._flows.items()))
        item = items.popleft()
        self._length -= 1
        if items:
            self._flows.move_to_end(flow)
        else:
            del self._flows[flow]
        return item

    def discard(self, flow: str, item: Item) -> bool:
        """Take ``item`` out before its turn; false when it is not in line."""
        items = self._flows.get(flow)
        if items is None or item not in items:
            return False
        items.remove(item)
        self._length -= 1
        if not items:
            del self._flows[flow]
        return True

    def ahead(self, flow: str) -> int:
        """How many items have their turn before one that ``flow`` would add now, at most."""
        turns = len(self._flows.get(flow, ())) + 1
        return sum(min(len(items), turns) for items in self._flows.values())
