"""Scores of photos by heads that did not see them, so that every labelled photo can be trained on and calibrated with.

The photos are dealt to folds; photos of one item stay together. Each photo is scored by a head fitted on the other
folds. Calibration and thresholds are then chosen on these scores, and the shipped head is fitted on all photos: it has
seen a little more than the heads that gave the scores (``ensemble=False`` of scikit-learn's CalibratedClassifierCV).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from service.contract import Contract
from training.fitting.checkpoints import read
from training.fitting.kernel import KernelHead
from training.photos.manifest import Photo, ends

_KEY = "out_of_fold"
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Rows:
    """What a head is fitted to: ``means`` ``[N, D]``, ``targets`` ``[N, C]`` and ``weights`` ``[N]``, all float64.

    ``photo`` ``[N]``: the position of the photo that a row shows.
    """

    means: Tensor
    targets: Tensor
    weights: Tensor
    photo: NDArray[np.int64]

    def joined(self, other: "Rows") -> "Rows":
        """These rows, then the other ones."""
        return Rows(
            torch.cat([self.means, other.means]), torch.cat([self.targets, other.targets]),
            torch.cat([self.weights, other.weights]), np.concatenate([self.photo, other.photo]),
        )  # fmt: skip

    def of(self, chosen: NDArray[np.bool_]) -> "Rows":
        """The rows whose photo is ``chosen`` ``[P]``."""
        here = torch.from_numpy(np.flatnonzero(chosen[self.photo]))
        return Rows(self.means[here], self.targets[here], self.weights[here], self.photo[here.numpy()])


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Logits float32 ``[N, C]`` of the photos ``files``, each by a head that was fitted without its fold."""

    files: tuple[str, ...]
    logits: NDArray[np.float32]

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps."""
        return {_KEY: {"files": list(self.files), "logits": torch.from_numpy(self.logits)}}


def kept_scores(checkpoint: Path) -> OutOfFold | None:
    """The scores that a checkpoint keeps, if its recipe asked for folds."""
    kept = read(checkpoint).get(_KEY)
    return OutOfFold(tuple(kept["files"]), kept["logits"].numpy()) if kept else None


def fitted_on_val(contract: Contract) -> bool:
    """Whether the weights' head was fitted on val too: measured on it they would look too good."""
    kernel = contract.training.get("recipe", {}).get("kernel") or {}
    return bool(kernel.get("folds", 0))


def out_of_fold(
    rows: Rows, windows: Tensor, photos: Sequence[Photo], count: int, seed: int, fitted: Callable[[Rows], KernelHead]
) -> OutOfFold:
    """Score the photos of full weight, fold by fold. ``windows``: ``[P, W, D]`` of all ``photos``.

    Photos of less weight are not scored. They help in every fold but those of their item and of their background: a
    composite shows an object that was cut out of one photo, on another. Raises ValueError for fewer than two folds.
    """
    real = rows.weights[: len(photos)].numpy() == 1
    fold = deal(photos, count, seed)
    barred = _barred(photos, real, fold, count)
    logits = np.zeros((len(photos), rows.targets.shape[1]), dtype=np.float32)
    for number in tqdm(range(count), "folds", unit="fold"):
        held = real & (fold == number)
        if not held.any():
            continue
        head = fitted(rows.of(~barred[:, number]))
        here = np.flatnonzero(held)
        for some in np.array_split(here, -(-len(here) // _AT_ONCE)):
            logits[some] = head.score(windows[torch.from_numpy(some)]).numpy()
    chosen = np.flatnonzero(real)
    return OutOfFold(tuple(photos[int(i)].file for i in chosen), logits[chosen])


def _barred(photos: Sequence[Photo], real: NDArray[np.bool_], fold: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Which photos do not help to score which folds, ``[P, count]``: they show an item or a photo of theirs."""
    items = {photo.instance for photo, full in zip(photos, real, strict=True) if full}
    shared = np.array([photo.instance in items for photo in photos])
    barred: NDArray[np.bool_] = shared[:, None] & (fold[:, None] == np.arange(count))
    named: dict[str, set[int]] = defaultdict(set)
    for position in map(int, np.flatnonzero(real)):
        for name in ends(photos[position].file):
            named[name].add(int(fold[position]))
    for position, photo in enumerate(photos):
        barred[position, sorted(named.get(photo.background, ()))] = True
    return barred


def deal(photos: Sequence[Photo], count: int, seed: int) -> NDArray[np.int64]:
    """Fold ``[P]`` of each photo, from 0. Photos of one instance share theirs; a label's instances are dealt evenly.

    Raises ValueError for fewer than two folds.
    """
    if count < 2:
        raise ValueError("at least two folds are needed")
    labels = {photo.instance: photo.labels for photo in photos}
    shuffled = np.random.default_rng(seed).permutation(sorted(labels)).tolist()
    folds = {instance: number % count for number, instance in enumerate(sorted(shuffled, key=labels.__getitem__))}
    return np.array([folds[photo.instance] for photo in photos], dtype=np.int64)
