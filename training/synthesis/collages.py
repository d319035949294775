"""Collages of four training photos, which teach the kernel head what a product looks like in a quarter of a picture."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from service.contract import Preprocessing
from training.photos.dataset import made_pixels, read_rgb, targets
from training.photos.manifest import Photo

_SIZES = ((320, 320), (320, 240), (240, 320))


class Collages(Dataset[tuple[Tensor, Tensor]]):
    """``(pixels uint8 [S, S, 3], targets float32 [4, C] of the quarters)`` through the service's preprocessing.

    Every other collage holds one product, in a random place; products take turns. All is drawn by ``seed``.
    """

    def __init__(
        self, photos: Sequence[Photo], categories: Sequence[str], rule: Preprocessing, count: int, seed: int
    ) -> None:
        self.categories, self.rule = tuple(categories), rule
        products = [index for index, photo in enumerate(photos) if photo.labels]
        others = [index for index, photo in enumerate(photos) if not photo.labels]
        rng = np.random.default_rng(seed)
        self.photos = photos
        self.collages: list[list[int]] = []
        for number in range(count if others else 0):
            tiles = [others[int(i)] for i in rng.integers(0, len(others), 4)]
            if number % 2 == 0 and products:
                tiles[int(rng.integers(4))] = products[number // 2 % len(products)]
            self.collages.append(tiles)

    def __len__(self) -> int:
        return len(self.collages)

    def tiles(self) -> NDArray[np.int64]:
        """Positions in ``photos`` of all tiles, ``[4 N]``, collage after collage."""
        return np.array(self.collages, dtype=np.int64).ravel()

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        tiles = [self.photos[index] for index in self.collages[position]]
        pixels = made_pixels(_collage(tiles, _SIZES[position % len(_SIZES)]), self.rule)
        return torch.from_numpy(pixels.copy()), torch.stack([targets(photo, self.categories) for photo in tiles])


def _collage(tiles: Sequence[Photo], size: tuple[int, int]) -> Image.Image:
    sheet = Image.new("RGB", (2 * size[0], 2 * size[1]))
    for index, photo in enumerate(tiles):
        sheet.paste(read_rgb(photo).resize(size), (index % 2 * size[0], index // 2 * size[1]))
    return sheet
