"""All of a recipe: its runs, the average of their weights, and the last step.

Runs that start from the same pretrained weights end in one basin: the mean of their weights is better than each of
them, and costs nothing to serve (model soups, Wortsman et al. 2022).
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from training.exporting.calibration import check_calibration
from training.fitting.checkpoints import write
from training.fitting.network import Network
from training.fitting.refit import photo_weights, refit
from training.fitting.trainer import Hardware, Trainer, load_network
from training.folder_lock import locked
from training.photos.manifest import Photo, select
from training.recipe import Recipe

FINAL = "final.pt"


def run_recipe(recipe: Recipe, photos: Sequence[Photo], out: Path, hardware: Hardware) -> Path:
    """Train every run of ``recipe`` below ``out``, and return the path of the file to export.

    An interrupted call goes on where it stopped. The file is ``final.pt``, or ``checkpoint.pt`` for one run without
    the last step. Raises :class:`~training.folder_lock.FolderTakenError` while another process trains there.
    """
    with locked(out):
        return _run(recipe, photos, out, hardware)


def fitted_photos(recipe: Recipe, photos: Sequence[Photo]) -> list[Photo]:
    """The photos that the last step fits the kernel head on: with folds, those of val too."""
    folds = recipe.kernel is not None and recipe.kernel.folds > 0
    splits = ("train", "val") if folds else ("train",)
    return [photo for photo in photos if photo.split in splits and photo.source not in recipe.leave_out_sources]


def check_calibrated(recipe: Recipe, photos: Sequence[Photo]) -> None:
    """As :func:`check_calibration` for what export will calibrate on: val, or with folds all photos of full weight."""
    if recipe.kernel is None or not recipe.kernel.folds:
        check_calibration(tuple(recipe.categories), select(photos, "val", recipe.leave_out_sources), "val")
        return
    some = fitted_photos(recipe, photos)
    full = [photo for photo, weight in zip(some, photo_weights(some, recipe.kernel), strict=True) if weight == 1]
    check_calibration(tuple(recipe.categories), full, "full weight in train and val")


def _run(recipe: Recipe, photos: Sequence[Photo], out: Path, hardware: Hardware) -> Path:
    paths = [
        Trainer(_single(recipe, number), photos, folder, hardware).fit() for number, folder in _folders(recipe, out)
    ]
    if recipe.runs == 1 and recipe.kernel is None:
        return paths[0]
    network = average(paths)
    described, scores = recipe, None
    if recipe.kernel is not None:
        network, described, scores = refit(network, recipe, fitted_photos(recipe, photos))
    state = {"recipe": described.model_dump(mode="json"), "average": network.state_dict()}
    write(state | (scores.state() if scores else {}), out / FINAL)
    return out / FINAL


def average(paths: Sequence[Path]) -> Network:
    """The network whose weights are the mean of those of the checkpoints ``paths``."""
    network, _ = load_network(paths[0])
    states = [network.state_dict(), *(load_network(path)[0].state_dict() for path in paths[1:])]
    network.load_state_dict({name: _mean([state[name] for state in states]) for name in states[0]})
    return network


def _mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean(0) if values[0].dtype.is_floating_point else values[0]


def _folders(recipe: Recipe, out: Path) -> list[tuple[int, Path]]:
    if recipe.runs == 1:
        return [(0, out)]
    return [(number, out / f"run-{number + 1}") for number in range(recipe.runs)]


def _single(recipe: Recipe, number: int) -> Recipe:
    return recipe.model_copy(update={"runs": 1, "seed": recipe.seed + number})
