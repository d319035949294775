"""What was seen a moment ago, so that the same picture sent again by the same client is not worked on again.

Upload pipelines retry and repost. A cache belongs to one detector and goes with it, so a new model starts with none.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Digest = tuple[str, bytes]
Kept = TypeVar("Kept")


class Cache(Generic[Kept]):
    """At most ``most`` pictures (0: none), each for ``seconds``; the one used longest ago goes first.

    Not thread-safe: all calls come from the event loop.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self.seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[Digest, tuple[float, Kept]] = OrderedDict()

    def __del__(self) -> None:
        """One after the other: of a hundred thousand at once, the interpreter's lock is held for a second."""
        while self._kept:
            self._kept.popitem()

    def __len__(self) -> int:
        return len(self._kept)

    def recall(self, digest: Digest) -> Kept | None:
        """What was kept under ``digest`` less than ``seconds`` ago."""
        since, kept = self._kept.get(digest, (0.0, None))
        if kept is None:
            return None
        if self._clock() - since >= self.seconds:
            del self._kept[digest]
            return None
        self._kept.move_to_end(digest)
        return kept

    def keep(self, digest: Digest, what: Kept) -> None:
        """Keep ``what`` was seen, as of now."""
        self._kept[digest] = self._clock(), what
        self._kept.move_to_end(digest)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)


def digest_of(client: str, data: bytes) -> Digest:
    """What ``data`` of ``client`` is kept under: nobody learns from an answer what others have sent."""
    return client, hashlib.sha256(data).digest()
