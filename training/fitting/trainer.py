"""The training loop: epochs, averaged weights, checkpoints that resume to the same result, a CSV log."""

import csv
import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from service.contract import Preprocessing
from training.evaluating.statistics import auroc, recall_at
from training.fitting.checkpoints import read, write
from training.fitting.network import Network, preprocessing
from training.fitting.refit import kernel_head
from training.photos.dataset import EvaluationPhotos, TrainingDraws, kind_index
from training.photos.manifest import Photo, select
from training.photos.sampling import draw_epoch
from training.recipe import Recipe, RecipeError

CHECKPOINT = "checkpoint.pt"
LOG = "log.csv"
_HARD = 10


@dataclass(frozen=True, slots=True)
class Hardware:
    """Where and how training runs."""

    device: torch.device
    half: bool
    workers: int


def choose_hardware(recipe: Recipe, device: str | None, workers: int) -> Hardware:
    """CUDA when there is one (or as asked); bf16 as the recipe says, ``auto``: on CUDA, and on CPUs built for it.

    Raises :class:`RecipeError` where CUDA is asked for and not there.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise RecipeError("there is no CUDA device here: leave --device out")
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if recipe.precision == "auto":
        half = chosen.type == "cuda" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    else:
        half = recipe.precision == "bf16"
    return Hardware(chosen, half, workers)


class Trainer:
    """Trains one recipe on one list of photos into the folder ``out``."""

    def __init__(self, recipe: Recipe, photos: Sequence[Photo], out: Path, hardware: Hardware) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.out, self.hardware = recipe, out, hardware
        self.train_photos = select(photos, "train", recipe.leave_out_sources)
        self.val_photos = select(photos, "val", recipe.leave_out_sources)
        rows = [(photo.file, photo.labels, photo.group, photo.kind, photo.source) for photo in self.train_photos]
        self.drawn_from = hashlib.sha256(repr(rows).encode()).hexdigest()
        self.network = Network(recipe, len(kind_index(self.train_photos)) if recipe.kind_weight else 0)
        self.network.freeze(recipe.frozen_stages)
        self.network.to(hardware.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.steps_per_epoch = math.ceil(recipe.epoch_size / recipe.batch)
        self.optimizer = torch.optim.AdamW(self._parameter_groups())
        self.epoch = 0

    def fit(self, stop_after: int | None = None) -> Path:
        """Train from the last checkpoint to the last epoch (or ``stop_after``); returns the path to export."""
        self.out.mkdir(parents=True, exist_ok=True)
        self._resume()
        self._trim_log()
        last = min(self.recipe.epochs, stop_after or self.recipe.epochs)
        while self.epoch < last:
            started = time.monotonic()
            loss = self._train_epoch()
            self.epoch += 1
            row = {"epoch": self.epoch, "loss": round(loss, 5), **self._validate()}
            self._log({**row, "seconds": round(time.monotonic() - started)})
            self._save()
        if not self.epoch:
            self._save()
        return self.out / CHECKPOINT

    def _parameter_groups(self) -> list[dict[str, Any]]:
        trained = [(n, p) for n, p in self.network.named_parameters() if p.requires_grad]
        groups = []
        for is_head, rate in ((True, self.recipe.head_rate), (False, self.recipe.trunk_rate)):
            part = [(n, p) for n, p in trained if n.startswith(("head.", "kind_head.")) == is_head]
            for decays in (True, False):
                values = [p for n, p in part if (p.ndim > 1) == decays]
                groups.append(
                    {"params": values, "lr": rate, "peak": rate, "weight_decay": self.recipe.weight_decay * decays}
                )
        return groups

    def _train_epoch(self) -> float:
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.epoch)
        draws = draw_epoch(self.train_photos, self.recipe, self.epoch, self._hard_negatives())
        photos = TrainingDraws(self.train_photos, draws, self.recipe, self.epoch)
        loader = DataLoader(photos, self.recipe.batch, num_workers=self.hardware.workers)
        self.network.train()
        total = 0.0
        progress = tqdm(loader, f"epoch {self.epoch + 1}/{self.recipe.epochs}", unit="batch", mininterval=5)
        for step, batch in enumerate(progress):
            self._set_rate(self.epoch * self.steps_per_epoch + step)
            value = self._step(*batch)
            total += value
            progress.set_postfix(loss=f"{total / (step + 1):.4f}", refresh=False)
        if not math.isfinite(total):
            raise RecipeError(f"the loss of epoch {self.epoch + 1} is no number any more: lower the recipe's rates")
        return total / len(loader)

    def _hard_negatives(self) -> list[int]:
        """The tenth of the negatives to which the averaged network gives the highest score of any category."""
        if not self.recipe.mining or not self.epoch:
            return []
        places = [place for place, photo in enumerate(self.train_photos) if not photo.labels]
        highest = self._average_scores([self.train_photos[place] for place in places])[0].max(axis=1)
        return [places[i] for i in np.argsort(-highest, kind="stable")[: max(1, len(places) // _HARD)]]

    def _set_rate(self, step: int) -> None:
        warmup = self.recipe.warmup_epochs * self.steps_per_epoch
        done = (step - warmup) / max(1.0, self.recipe.epochs * self.steps_per_epoch - warmup)
        factor = (step + 1) / warmup if step < warmup else 0.5 * (1 + math.cos(math.pi * done))
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * min(1.0, factor)

    def _step(self, pixels: Tensor, wanted: Tensor, kinds: Tensor) -> float:
        device = self.hardware.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.hardware.half):
            logits, _, embedding = self.network(pixels.to(device))
        smooth = self.recipe.label_smoothing
        goal = wanted.to(device) * (1 - smooth) + smooth / 2
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), goal, reduction="none").sum(1).mean()
        if self.network.kind_head is not None:
            named = self.network.kind_head(embedding.float())
            loss = loss + self.recipe.kind_weight * nn.functional.cross_entropy(named, kinds.to(device))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self._update_average()
        return float(loss.detach())

    @torch.no_grad()
    def _update_average(self) -> None:
        for name, value in self.network.state_dict().items():
            if value.dtype.is_floating_point:
                self.average[name].lerp_(value, 1 - self.recipe.ema_decay)

    def _average_scores(self, photos: Sequence[Photo]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What :func:`predict` gives for the averaged network."""
        current = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        rule = preprocessing(self.recipe, self.network)
        scores = predict(self.network, photos, self.recipe, rule, self.hardware)
        self.network.load_state_dict(current)
        return scores

    def _validate(self) -> dict[str, float]:
        logits, wanted = self._average_scores(self.val_photos)
        row: dict[str, float] = {}
        for index, category in enumerate(self.recipe.categories):
            positive = wanted[:, index] > 0
            if positive.sum() >= 5:
                row[f"{category}_auroc"] = round(auroc(logits[:, index], positive), 4)
                row[f"{category}_recall_1pct"] = round(recall_at(0.01)(logits[:, index], positive), 4)
        return row

    def _save(self) -> None:
        state = {
            "recipe": self.recipe.model_dump(mode="json"),
            "epoch": self.epoch,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "photos": self.drawn_from,
        }
        write(state, self.out / CHECKPOINT)

    def _resume(self) -> None:
        path = self.out / CHECKPOINT
        if not path.exists():
            return
        state = read(path, self.hardware.device)
        if state["recipe"] != self.recipe.model_dump(mode="json"):
            raise RecipeError(f"{path} was made with another recipe: choose another --out or remove it")
        if not state["epoch"]:
            return
        # older checkpoints do not say which photos they were trained on
        if state.get("photos", self.drawn_from) != self.drawn_from:
            raise RecipeError(f"{path} was made with other photos of train: choose another --out or remove it")
        self.network.load_state_dict(state["network"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch = state["epoch"]

    def _trim_log(self) -> None:
        """Cut off what an interrupted run logged of an epoch that it did not keep."""
        path = self.out / LOG
        if path.exists():
            path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[: self.epoch + 1]))

    def _log(self, row: dict[str, float]) -> None:
        path = self.out / LOG
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, row.keys())
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


@torch.inference_mode()
def predict(
    network: Network, photos: Sequence[Photo], recipe: Recipe, rule: Preprocessing, hardware: Hardware
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logits and targets, float64 ``[N, C]`` each, through the service's preprocessing."""
    network.eval()
    loader = DataLoader(EvaluationPhotos(photos, tuple(recipe.categories), rule), 32, num_workers=hardware.workers)
    logits, wanted = [], []
    for pixels, goal in loader:
        logits.append(network(pixels.to(hardware.device))[0].float().cpu().numpy())
        wanted.append(goal.numpy())
    return np.concatenate(logits).astype(np.float64), np.concatenate(wanted).astype(np.float64)


def load_network(path: Path) -> tuple[Network, Recipe]:
    """The averaged network of a checkpoint, in evaluation mode on the CPU, with its recipe.

    Raises :class:`RecipeError` when the file is no checkpoint.
    """
    state = read(path)
    recipe = Recipe.model_validate(state["recipe"])
    weights = state["average"]
    kinds = weights["kind_head.weight"].shape[0] if "kind_head.weight" in weights else 0
    network = Network(recipe, kinds)
    if recipe.kernel and "kernel.landmarks" in weights:
        network.kernel = kernel_head(network, recipe.kernel, weights["kernel.landmarks"].shape[0])
    network.load_state_dict(weights)
    return network.eval(), recipe
