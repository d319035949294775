"""One picture on its way: decoded, then seen by the network."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.classifier import Scores
from service.imaging import Header
from service.policy import Policy


@dataclass(frozen=True, slots=True)
class Decoded:
    """One picture ready for the network: ``pixels`` uint8 ``[size, size, 3]``; ``view``: for a heat map, if wanted."""

    header: Header
    pixels: NDArray[np.uint8]
    view: Image.Image | None
    decode_ms: float


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture after the network. Times in milliseconds; ``cached``: seen a moment ago."""

    header: Header
    scores: Scores
    probabilities: dict[str, float]
    view: Image.Image | None
    decode_ms: float
    infer_ms: float
    cached: bool = False

    def to_keep(self) -> "Seen":
        """What a cache keeps of it: scores and maps, 3 to 7 kB, no picture; verdicts are made anew by each policy."""
        scores = replace(self.scores, embeddings=np.empty((1, 0), np.float32))
        return replace(self, scores=scores, view=None, decode_ms=0.0, infer_ms=0.0, cached=True)

    def shows(self, policy: Policy) -> bool:
        """Whether it has what an answer by ``policy`` needs: findings have boxes, and these come from the map."""
        return self.scores.maps.size > 0 or not policy.judge(self.probabilities)
