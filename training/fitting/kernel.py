"""The kernel head: Gaussian-kernel logistic regression on the trunk's mean features at several depths.

A linear head cannot say "carved *and* cream-coloured"; a kernel machine can, and needs no more photos for it. Each
category's score is a weighted sum of similarities to *landmarks*, training photos' features kept with the weights
(kernel logistic regression, Zhu & Hastie 2005, on the Nystroem approximation, Williams & Seeger 2001).

The score of a photo is the highest of its windows: the whole, its four quarters, and its middle. They share the trunk's
features, so a product in the corner of a collage costs next to nothing to find.

The activation map is the class activation map (Zhou et al. 2016) of the linear head that touches the kernel machine at
the mean photo: of the window that gave the score, it says which positions make it unlike other photos, towards the
category; to first order there, what the score would be if a quarter of the window looked like the position. The mean
of the map over that window is the score. It stands on the deepest levels alone, those with the coarsest grid: finer
ones see edges and grounds. Where the kernel machine is touched at the window itself, the map shows what is typical of
the photo instead, often its ground (docs/ablation.md, Where the evidence is).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

WINDOWS = ("whole", "top left", "top right", "bottom left", "bottom right", "middle")
ALL, WHOLE, QUARTERS = slice(0, len(WINDOWS)), slice(0, 1), slice(1, 5)
MIDDLE = WINDOWS.index("middle")
CLIP = 4.0
REACH = 0.25
_ROUNDS = 200
_JITTER = 1e-5
_LEAST_DEVIATION = 1e-3


class KernelHead(nn.Module):
    """Features of the named levels, ``[N, D_l, h_l, w_l]`` each, to scores ``[N, C]`` and their map ``[N, C, h, w]``.

    The map has the size of the coarsest level. ``landmarks`` ``[J, D]``, D the sum of the levels' channels ``widths``,
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
        means = window_means([features[name] for name in self.levels])
        inputs = self.standardise(means)
        marks = self.landmarks.float()
        similar = similarity(inputs.flatten(0, 1), marks).reshape(*inputs.shape[:2], -1)
        scores, best = (similar @ self.weight.T + self.bias).max(dim=1)
        return scores, self._map(features, scores, _pick(means, best))

    def slopes(self) -> Tensor:
        """How much the scores rise with each mean feature at the mean photo, ``[C, D]``."""
        marks = self.landmarks.float()
        pulls = self.weight * similarity(torch.zeros_like(marks[:1]), marks)
        return 2 * (pulls @ marks) * self.unit / self.deviation

    def score(self, means: Tensor) -> Tensor:
        """Scores ``[N, C]`` of pictures by the mean features ``[N, W, D]`` of their windows: the highest counts."""
        inputs = self.standardise(means)
        similar = similarity(inputs.flatten(0, 1), self.landmarks.to(inputs)).reshape(*inputs.shape[:2], -1)
        return (similar @ self.weight.to(inputs).T + self.bias.to(inputs)).amax(dim=1)

    def standardise(self, means: Tensor) -> Tensor:
        """Mean features ``[..., D]`` to kernel inputs: standardised, clipped to 4 deviations, weighted by level."""
        standard = (means - self.mean.to(means)) / self.deviation.to(means)
        return standard.clamp(-CLIP, CLIP) * self.unit.to(means)

    @torch.no_grad()
    def fit(self, means: Tensor, targets: Tensor, weights: Tensor, strength: float, seed: int) -> None:
        """Fit to mean features ``[N, D]``, targets ``[N, C]`` and weights ``[N]``, float64, of the training photos.

        Minimises ``strength * weighted sum of losses + squared norm / 2``. Features are standardised by the photos of
        full weight. Landmarks: see :func:`choose_landmarks`.
        """
        real = means[weights == 1]
        self.mean.copy_(real.mean(0))
        self.deviation.copy_(real.std(0) + _LEAST_DEVIATION)
        inputs = self.standardise(means)
        self.landmarks.copy_(inputs[choose_landmarks(targets, weights, len(self.landmarks), seed)])
        marks = self.landmarks.double()
        identity = torch.eye(len(marks), dtype=torch.float64)
        factor = torch.linalg.cholesky(similarity(marks, marks) + _JITTER * identity)
        columns = torch.linalg.solve_triangular(factor, similarity(marks, inputs), upper=False).T.contiguous()
        weight, bias = logistic(columns, targets, weights, strength)
        self.weight.copy_(torch.linalg.solve_triangular(factor.T, weight.T, upper=True).T)
        self.bias.copy_(bias)

    def _map(self, features: Mapping[str, Tensor], scores: Tensor, means: Tensor) -> Tensor:
        """Map of the windows with mean features ``means`` ``[N, C, D]``."""
        coarsest = min((tuple(features[name].shape[2:]) for name in self.levels), key=lambda size: size[0] * size[1])
        total = scores[:, :, None, None]
        widths = list(self.widths)
        for name, part, mean in zip(
            self.levels, torch.split(self.slopes(), widths, 1), torch.split(means, widths, 2), strict=True
        ):
            level = features[name]
            if tuple(level.shape[2:]) == coarsest:
                rise = part @ level.flatten(2) - (part * mean).sum(2, keepdim=True)
                total = total + REACH * rise.reshape(-1, len(part), *coarsest)
        return total


def window_means(levels: Sequence[Tensor]) -> Tensor:
    """Mean features ``[N, 6, D]`` of ``levels``, ``[N, D_l, h_l, w_l]`` each, over each of WINDOWS."""
    return torch.cat([_window_means(level) for level in levels], dim=2)


def _window_means(level: Tensor) -> Tensor:
    # as a product with constants: exported, it is one node where cutting windows out takes forty. Not flatten(2), whose
    # shape would be worked out for each picture, and which onnxruntime 1.32 dies of where the trunk is in integers
    shares = window_shares(level.shape[2], level.shape[3]).to(level)
    return (level.reshape(-1, int(level.shape[1]), len(shares)) @ shares).transpose(1, 2)


def window_shares(height: int, width: int) -> Tensor:
    """How much each cell of a map counts in the mean over each of WINDOWS: ``[height * width, 6]``."""
    size = int(height), int(width)
    half = [(side + 1) // 2 for side in size]
    spare = [side - part for side, part in zip(size, half, strict=True)]
    tops, lefts = ((0, 0, space, space, space // 2) for space in spare)
    shares = np.zeros((len(WINDOWS), *size))  # not torch, which would trace how they are made
    shares[0] = 1
    for window, top, left in zip(shares[1:], tops, (lefts[0], lefts[2], lefts[0], lefts[2], lefts[4]), strict=True):
        window[top : top + half[0], left : left + half[1]] = 1
    return torch.from_numpy((shares / shares.sum((1, 2), keepdims=True)).reshape(len(WINDOWS), -1).T.copy())


def _pick(values: Tensor, best: Tensor) -> Tensor:
    """From ``values`` ``[N, W, K]`` the window of each category ``best`` ``[N, C]``: ``[N, C, K]``."""
    return values.gather(1, best[:, :, None].expand(-1, -1, values.shape[2]))


def similarity(one: Tensor, other: Tensor) -> Tensor:
    """Gaussian kernel ``exp(-|a - b|^2)`` between the rows of ``one`` ``[N, D]`` and ``other`` ``[J, D]``."""
    squares = one.square().sum(1, keepdim=True) + other.square().sum(1) - 2 * one @ other.T
    return torch.exp(-squares.clamp_min(0))


def choose_landmarks(targets: Tensor, weights: Tensor, count: int, seed: int) -> Tensor:
    """Rows to keep as landmarks ``[count]``: all of full weight with a product first, then others at random.

    Of the others, half at most are photos of a lower weight.
    """
    shown, full = targets.sum(1).numpy() > 0, weights.numpy() == 1
    shuffled = np.random.default_rng(seed).permutation(len(shown))
    first = shuffled[(shown & full)[shuffled]]
    real = shuffled[(~shown & full)[shuffled]]
    extra = shuffled[~full[shuffled]][: max(count - len(first) - len(real), (count - len(first)) // 2, 0)]
    order = np.concatenate([first, extra, real])
    return torch.from_numpy(np.sort(order[:count]))


@torch.enable_grad()
def logistic(inputs: Tensor, targets: Tensor, weights: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Logistic regression of each category on ``inputs`` ``[N, K]``, float64: weight ``[C, K]`` and bias ``[C]``.

    Minimises ``strength * sum of losses, by weights [N], + squared norm / 2``, so ``strength`` is scikit-learn's ``C``.
    """
    rates = ((weights @ targets) / weights.sum()).clamp(1e-5, 1 - 1e-5)
    weight = torch.zeros(targets.shape[1], inputs.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.log(rates / (1 - rates)).requires_grad_()
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_ROUNDS, history_size=20, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        losses = functional.binary_cross_entropy_with_logits(
            inputs @ weight.T + bias, targets, weights[:, None], reduction="sum"
        )
        value = strength * losses + weight.square().sum() / 2
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()
