"""The kernel head: Gaussian-kernel logistic regression on the trunk's mean features at several depths.

A linear head cannot say "carved *and* cream-coloured"; a kernel machine can, and needs no more photos for it. Each
category's score is a weighted sum of similarities to *landmarks*, training photos' features kept with the weights
(kernel logistic regression, Zhu & Hastie 2005, on the Nystroem approximation, Williams & Seeger 2001).

Its activation map says what the score would be, to first order, if a quarter of the picture looked like the position:
the class activation map (Zhou et al. 2016) of the linear head that touches the kernel machine at this photo. The mean
of the map is the score.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

CLIP = 4.0
REACH = 0.25
_ROUNDS = 200
_JITTER = 1e-5
_LEAST_DEVIATION = 1e-3


class KernelHead(nn.Module):
    """Features of the named levels, ``[N, D_l, h_l, w_l]`` each, to scores ``[N, C]`` and their map ``[N, C, h, w]``.

    The map has the size of the finest level. ``landmarks`` ``[J, D]``, D the sum of the levels' channels ``widths``,
    is kept in half precision: it is the largest part of the head.
    """

    mean: Tensor
    deviation: Tensor
    unit: Tensor
    landmarks: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, levels: Mapping[str, float], widths: Sequence[int], landmarks: int, categories: int) -> None:
        super().__init__()
        self.levels, self.widths = tuple(levels), tuple(widths)
        depth = sum(widths)
        units = [np.full(width, (gamma / width) ** 0.5) for width, gamma in zip(widths, levels.values(), strict=True)]
        self.register_buffer("unit", torch.from_numpy(np.concatenate(units)).float())
        self.register_buffer("mean", torch.zeros(depth))
        self.register_buffer("deviation", torch.ones(depth))
        self.register_buffer("landmarks", torch.zeros(landmarks, depth, dtype=torch.float16))
        self.register_buffer("weight", torch.zeros(categories, landmarks))
        self.register_buffer("bias", torch.zeros(categories))

    def forward(self, features: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Scores and activation map; see the class."""
        inputs = self.standardise(torch.cat([features[name].mean(dim=(2, 3)) for name in self.levels], dim=1))
        marks = self.landmarks.float()
        similar = similarity(inputs, marks)
        scores = similar @ self.weight.T + self.bias
        pulls = self.weight * similar[:, None]
        slopes = 2 * (pulls @ marks - pulls.sum(2, keepdim=True) * inputs[:, None])
        inside = (inputs.abs() < CLIP * self.unit).to(slopes.dtype)
        return scores, self._map(features, scores, slopes * (inside * self.unit / self.deviation)[:, None])

    def standardise(self, means: Tensor) -> Tensor:
        """Mean features ``[N, D]`` to kernel inputs: standardised, clipped to 4 deviations, weighted by level."""
        standard = (means - self.mean.to(means)) / self.deviation.to(means)
        return standard.clamp(-CLIP, CLIP) * self.unit.to(means)

    @torch.no_grad()
    def fit(self, means: Tensor, targets: Tensor, strength: float, seed: int) -> None:
        """Fit to mean features ``[N, D]`` and targets ``[N, C]``, float64, of the training photos.

        Minimises ``strength * sum of losses + squared norm / 2``. Landmarks are the photos that show a product, and
        as many of the others, drawn by ``seed``, as there is room for.
        """
        self.mean.copy_(means.mean(0))
        self.deviation.copy_(means.std(0) + _LEAST_DEVIATION)
        inputs = self.standardise(means)
        self.landmarks.copy_(inputs[choose_landmarks(targets, len(self.landmarks), seed)])
        marks = self.landmarks.double()
        identity = torch.eye(len(marks), dtype=torch.float64)
        factor = torch.linalg.cholesky(similarity(marks, marks) + _JITTER * identity)
        columns = torch.linalg.solve_triangular(factor, similarity(marks, inputs), upper=False).T.contiguous()
        weight, bias = logistic(columns, targets, strength)
        self.weight.copy_(torch.linalg.solve_triangular(factor.T, weight.T, upper=True).T)
        self.bias.copy_(bias)

    def _map(self, features: Mapping[str, Tensor], scores: Tensor, slopes: Tensor) -> Tensor:
        finest = max((tuple(features[name].shape[2:]) for name in self.levels), key=lambda size: size[0] * size[1])
        total = scores[:, :, None, None]
        for name, part in zip(self.levels, torch.split(slopes, list(self.widths), dim=2), strict=True):
            level = features[name]
            centred = (level - level.mean(dim=(2, 3), keepdim=True)).flatten(2)
            rise = (part @ centred).reshape(-1, slopes.shape[1], *level.shape[2:])
            if tuple(level.shape[2:]) != finest:
                rise = functional.interpolate(rise, size=finest, mode="bilinear")
            total = total + REACH * rise
        return total


def similarity(one: Tensor, other: Tensor) -> Tensor:
    """Gaussian kernel ``exp(-|a - b|^2)`` between the rows of ``one`` ``[N, D]`` and ``other`` ``[J, D]``."""
    squares = one.square().sum(1, keepdim=True) + other.square().sum(1) - 2 * one @ other.T
    return torch.exp(-squares.clamp_min(0))


def choose_landmarks(targets: Tensor, count: int, seed: int) -> Tensor:
    """Rows to keep as landmarks ``[count]``: all with a product first, then others at random."""
    shown = targets.sum(1).numpy() > 0
    shuffled = np.random.default_rng(seed).permutation(len(shown))
    order = np.concatenate([shuffled[shown[shuffled]], shuffled[~shown[shuffled]]])
    return torch.from_numpy(np.sort(order[:count]))


@torch.enable_grad()
def logistic(inputs: Tensor, targets: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Logistic regression of each category on ``inputs`` ``[N, K]``, float64: weight ``[C, K]`` and bias ``[C]``.

    Minimises ``strength * sum of losses + squared norm / 2``, so ``strength`` is scikit-learn's ``C``.
    """
    rates = targets.mean(0).clamp(1e-5, 1 - 1e-5)
    weight = torch.zeros(targets.shape[1], inputs.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.log(rates / (1 - rates)).requires_grad_()
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_ROUNDS, history_size=20, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        losses = functional.binary_cross_entropy_with_logits(inputs @ weight.T + bias, targets, reduction="sum")
        value = strength * losses + weight.square().sum() / 2
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()
