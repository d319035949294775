"""Photos as tensors: augmented draws for training, the service's own preprocessing for evaluation."""

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from service.contract import Preprocessing
from service.imaging import prepare, view
from service.runtime.cores import available_cores
from training.photos.manifest import Photo, named
from training.photos.readable import LIMITS
from training.recipe import Recipe
from training.synthesis.augment import augment

SIDE = 1024
"""The longer side of a picture that others are made of, pixels: as much as the largest network sees."""
_KEPT: dict[Path, NDArray[np.uint8]] = {}


class TrainingDraws(Dataset[tuple[Tensor, Tensor, int]]):
    """One epoch's draws: ``(pixels uint8 [S, S, 3], targets float32 [C], kind index)``.

    The augmentation of a draw depends on the seed, the epoch and its position alone, so a resumed run repeats it.
    """

    def __init__(self, photos: Sequence[Photo], draws: Sequence[int], recipe: Recipe, epoch: int) -> None:
        self.photos = photos
        self.draws = draws
        self.recipe = recipe
        self.epoch = epoch
        others = [index for index, photo in enumerate(photos) if not photo.labels]
        self.backgrounds = [index for index in others if photos[index].group == "listing"] or others
        self.kinds = kind_index(photos)

    def __len__(self) -> int:
        return len(self.draws)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor, int]:
        rng = np.random.default_rng((self.recipe.seed, self.epoch, position))
        photo = self.photos[self.draws[position]]
        other = self._background if self.backgrounds else None
        image = augment(read_rgb(photo), self.recipe.size, self.recipe.augmentation, rng, other)
        pixels = torch.from_numpy(np.array(image))
        return pixels, targets(photo, tuple(self.recipe.categories)), self.kinds[photo.kind]

    def _background(self, rng: np.random.Generator) -> Image.Image:
        return read_rgb(self.photos[self.backgrounds[int(rng.integers(len(self.backgrounds)))]])


class EvaluationPhotos(Dataset[tuple[Tensor, Tensor]]):
    """``(pixels uint8 [S, S, 3], targets float32 [C])`` through :func:`service.imaging.prepare`."""

    def __init__(self, photos: Sequence[Photo], categories: Sequence[str], rule: Preprocessing) -> None:
        self.photos = photos
        self.categories = tuple(categories)
        self.rule = rule

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        photo = self.photos[position]
        return torch.from_numpy(read_pixels(photo, self.rule).copy()), targets(photo, self.categories)


def read_pixels(photo: Photo, rule: Preprocessing) -> NDArray[np.uint8]:
    """The photo as the service gives it to the network, uint8 ``[S, S, 3]``."""
    with named(photo.path):
        return prepare(photo.path.read_bytes(), LIMITS, rule)[1]


def made_pixels(image: Image.Image, rule: Preprocessing) -> NDArray[np.uint8]:
    """An image that was made of photos as the service would give it to the network, uint8 ``[S, S, 3]``."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=0)
    return prepare(buffer.getvalue(), LIMITS, rule)[1]


def read_rgb(photo: Photo) -> Image.Image:
    """The photo as an upright RGB image, shrunk to ``SIDE`` where it is larger: what is made of it is seen smaller."""
    kept = _KEPT.get(photo.path)
    if kept is not None:
        return Image.fromarray(kept)
    with named(photo.path):
        return view(photo.path.read_bytes(), LIMITS, SIDE).rgb


def keep_in_memory(photos: Sequence[Photo]) -> None:
    """Decode ``photos`` once, for a training run that would otherwise wait for its decoder.

    Processes that are forked later share the memory: 3 bytes a pixel.
    """
    with ThreadPoolExecutor(available_cores()) as pool:
        for photo, image in zip(photos, pool.map(read_rgb, photos), strict=True):
            _KEPT[photo.path] = np.asarray(image)


def targets(photo: Photo, categories: Sequence[str]) -> Tensor:
    """Multi-label targets float32 ``[C]``, 1 where the photo shows the category."""
    return torch.tensor([float(category in photo.labels) for category in categories])


def kind_index(photos: Sequence[Photo]) -> dict[str, int]:
    """Kinds in alphabetical order to class indices of the auxiliary loss."""
    return {kind: index for index, kind in enumerate(sorted({photo.kind for photo in photos}))}
