"""Photos as apps and sellers decorate them, for the fit: a screenshot is no sign of a product, and hides none."""

from collections.abc import Sequence

import numpy as np
import torch
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

    Each of ``photos`` in all WAYS, one after the other: as a screenshot, and with words, badges or a watermark over it.
    All is drawn by ``seed``.
    """

    def __init__(self, photos: Sequence[Photo], categories: Sequence[str], rule: Preprocessing, seed: int) -> None:
        self.photos, self.categories, self.rule, self.seed = photos, tuple(categories), rule, seed

    def __len__(self) -> int:
        return len(self.photos) * len(WAYS)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        photo = self.photos[position // len(WAYS)]
        image = read_rgb(photo)
        image.thumbnail((_SIDE, _SIDE))
        image = WAYS[position % len(WAYS)](image, np.random.default_rng((self.seed, position)))
        return torch.from_numpy(made_pixels(image, self.rule).copy()), targets(photo, self.categories)
