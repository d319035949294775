"""What was seen a moment ago, so that the same picture sent again by the same client is not worked on again.

Upload pipelines retry and repost. Kept are the network's scores and activation maps, no picture: verdicts are made anew
for each request, by its policy. A memory belongs to one detector and goes with it, so a new model starts with none.
"""

import dataclasses
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from service.detector import Seen

Digest = tuple[str, bytes]


class Memory:
    """At most ``most`` pictures (0: none), each for ``seconds``; the one used longest ago goes first.

    Not thread-safe: all calls come from the event loop. Some 20 kB a picture, most of it the maps.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self.seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[Digest, tuple[float, Seen]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def recall(self, digest: Digest) -> "Seen | None":
        """What was kept under ``digest`` less than ``seconds`` ago."""
        since, seen = self._kept.get(digest, (0.0, None))
        if seen is None:
            return None
        if self._clock() - since >= self.seconds:
            del self._kept[digest]
            return None
        self._kept.move_to_end(digest)
        return seen

    def keep(self, digest: Digest, seen: "Seen") -> None:
        """Keep ``seen``, without its view and its embedding, as of now."""
        scores = dataclasses.replace(seen.scores, embeddings=np.empty((1, 0), np.float32))
        self._kept[digest] = (
            self._clock(),
            dataclasses.replace(seen, scores=scores, view=None, decode_ms=0.0, infer_ms=0.0, cached=True),
        )
        self._kept.move_to_end(digest)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)


def digest_of(client: str, data: bytes) -> Digest:
    """What ``data`` of ``client`` is kept under: nobody learns from an answer what others have sent."""
    return client, hashlib.sha256(data).digest()
