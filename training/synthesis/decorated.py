"""Photos without products as apps and sellers decorate them, for the fit: a screenshot is no sign of a product.

Of others alone: products are photographed off screens as well, but where a seventh of the decorated pictures in the fit
show one, decoration itself comes to mean a product (docs/ablation.md, Screenshots and writing on photos).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from service.contract import Preprocessing
from training.photos.dataset import made_pixels, read_rgb, targets
from training.photos.manifest import Photo
from training.synthesis.augment import overlay
from training.synthesis.screenshots import screenshot

WAYS = (screenshot, overlay)
_SIDE = 640


class Decorated(Dataset[tuple[Tensor, Tensor]]):
    """``(pixels uint8 [S, S, 3], targets float32 [C])`` through the service's preprocessing.

    ``count`` of the photos without products, or as many as there are, each in all WAYS: as a screenshot, and with
    words, badges or a watermark over it. All is drawn by ``seed``.
    """

    def __init__(
        self, photos: Sequence[Photo], categories: Sequence[str], rule: Preprocessing, count: int, seed: int
    ) -> None:
        self.photos, self.categories, self.rule, self.seed = photos, tuple(categories), rule, seed
        others = [index for index, photo in enumerate(photos) if not photo.labels]
        self.chosen = np.random.default_rng(seed).permutation(np.array(others, dtype=np.int64))[:count]

    def __len__(self) -> int:
        return len(self.chosen) * len(WAYS)

    def shown(self) -> NDArray[np.int64]:
        """Positions in ``photos`` of what the pictures show, ``[N]``."""
        return self.chosen.repeat(len(WAYS))

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        photo = self.photos[int(self.chosen[position // len(WAYS)])]
        image = read_rgb(photo)
        image.thumbnail((_SIDE, _SIDE))
        image = WAYS[position % len(WAYS)](image, np.random.default_rng((self.seed, position)))
        return torch.from_numpy(made_pixels(image, self.rule).copy()), targets(photo, self.categories)
