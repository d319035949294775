"""The network: a pretrained trunk, a fully convolutional head to train it with, and the kernel head it ends with.

The convolutional head scores every position; the score of the picture is a log-sum-exp (or mean) of those scores, so
the map of per-position scores *is* the class activation map (Zhou et al. 2016; log-sum-exp pooling: Pinheiro &
Collobert 2015). The kernel head (:mod:`training.fitting.kernel`), once fitted, takes its place.
"""

import math
from collections.abc import Sequence
from typing import Any, cast

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from service.contract import Preprocessing
from training.fitting.kernel import KernelHead
from training.recipe import Recipe, RecipeError

TOP = "top"
_TORCHVISION = "torchvision:"
_LITE_MEAN = (127.0 / 255.0,) * 3
_LITE_STD = (128.0 / 255.0,) * 3
_SAME_PADDED: dict[str, dict[str, Any]] = {"mobilenetv2_100": {"pad_type": "same", "bn_eps": 1e-3}}
_LITE = "tf_efficientnet_lite"
_PROBES = (64, 128)
_NORMALISATION = {
    **{f"{_LITE}{number}": (_LITE_MEAN, _LITE_STD) for number in range(5)},
    "mobilenetv2_100": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


class Network(nn.Module):
    """uint8 pixels NHWC ``[N, H, W, 3]`` to ``(logits [N, C], map [N, C, h, w], embedding [N, D])``, float32.

    Raises :class:`RecipeError` for a trunk that cannot be made or lacks the recipe's parts.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, recipe: Recipe, kinds: int = 0) -> None:
        super().__init__()
        try:
            self.trunk, mean, std = make_trunk(recipe.trunk, recipe.trunk_weights)
        except Exception as error:
            raise RecipeError(f"the trunk {recipe.trunk} cannot be used: {error}") from error
        if lost := set(recipe.kernel.levels if recipe.kernel else ()) - {TOP, *dict(self.trunk.named_modules())}:
            raise RecipeError(f"the trunk {recipe.trunk} has no {', '.join(sorted(lost))}: change the recipe's levels")
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255.0)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1) * 255.0)
        self.trunk.eval()
        channels = self._depth(recipe.trunk, tuple(recipe.kernel.levels) if recipe.kernel else ())
        self.dropout = nn.Dropout(recipe.dropout)
        self.head = nn.Conv2d(channels, len(recipe.categories), kernel_size=1)
        self.kernel: KernelHead | None = None
        self.kind_head = nn.Linear(channels, kinds) if kinds else None
        self.sharpness = recipe.sharpness if recipe.pooling == "lse" else 0.0
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(cast(Tensor, self.head.bias), -3.0)

    def features(self, pixels: Tensor) -> Tensor:
        """Trunk features ``[N, D, h, w]``."""
        planes = pixels.permute(0, 3, 1, 2).float()
        normalised = (planes - self.mean) / self.std
        return cast(Tensor, self.trunk(normalised.contiguous(memory_format=torch.channels_last)))

    def levels(self, pixels: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Outputs ``[N, D, h, w]`` of the trunk's parts ``names`` (``top``: its last), by name.

        Raises AttributeError for a part that the trunk does not have.
        """
        found: dict[str, Tensor] = {}

        def keep(name: str) -> RemovableHandle:
            part = self.trunk.get_submodule(name)
            return part.register_forward_hook(lambda _part, _given, output: found.__setitem__(name, output))

        handles = [keep(name) for name in names if name != TOP]
        try:
            found[TOP] = self.features(pixels)
        finally:
            for handle in handles:
                handle.remove()
        return found

    @torch.no_grad()
    def _depth(self, trunk: str, names: Sequence[str]) -> int:
        """Channels of the top; raises :class:`RecipeError` unless it and the parts ``names`` give maps of features."""
        try:
            probes = [self.levels(torch.zeros(1, side, side, 3, dtype=torch.uint8), names) for side in _PROBES]
        except Exception as error:
            raise RecipeError(
                f"the trunk {trunk} cannot be used, not every size of picture fits it: {error}"
            ) from error
        for name in (TOP, *names):
            shapes = [tuple(getattr(found.get(name), "shape", ())) for found in probes]
            # a transformer's tokens have three dimensions; where channels come last, the second is the height
            if len(shapes[0]) != 4 or shapes[0][1] != shapes[1][1]:
                raise RecipeError(f"the trunk {trunk} cannot be used: {name} gives no map of features [N, D, h, w]")
        return probes[0][TOP].shape[1]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores, activation map and embedding (the mean features of the top); see the class."""
        if self.kernel is not None:
            levels = self.levels(pixels, self.kernel.levels)
            return *self.kernel(levels), levels[TOP].mean(dim=(2, 3))
        features = self.features(pixels).float()
        scores = self.head(self.dropout(features))
        return self.pool(scores), scores, features.mean(dim=(2, 3))

    def pool(self, scores: Tensor) -> Tensor:
        """Pool per-position scores ``[N, C, h, w]`` to ``[N, C]``."""
        if self.sharpness == 0.0:
            return scores.mean(dim=(2, 3))
        cells = scores.shape[2] * scores.shape[3]
        return (torch.logsumexp(scores * self.sharpness, dim=(2, 3)) - math.log(cells)) / self.sharpness

    def freeze(self, stages: int) -> None:
        """Stop training the stem and the first ``stages`` stages, and keep batch-norm statistics everywhere."""
        for part in _early_parts(self.trunk, stages):
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> "Network":
        """Training mode with batch-norm statistics frozen: the trunks come with theirs folded."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


def preprocessing(recipe: Recipe, network: Network) -> Preprocessing:
    """The preprocessing contract of a recipe's network."""
    mean = [float(value) / 255.0 for value in network.mean.flatten()]
    std = [float(value) / 255.0 for value in network.std.flatten()]
    return Preprocessing.model_validate({"size": recipe.size, "mean": mean, "std": std})


def make_trunk(name: str, weights: str) -> tuple[nn.Module, tuple[float, ...], tuple[float, ...]]:
    """A trunk that maps ``[N, 3, H, W]`` to features, and the mean and std (of RGB / 255) it expects.

    ``name``: a timm model, or ``torchvision:<model>``. ``weights``: a path or URL of a state dict (safetensors or
    torch), or empty for the library's own pretrained weights. Raises RuntimeError when they do not fit.
    """
    if name.startswith(_TORCHVISION):
        return _torchvision_trunk(name.removeprefix(_TORCHVISION), weights)
    trunk = timm.create_model(name, pretrained=not weights, global_pool="", **_head_options(name))
    if weights:
        _load(trunk, weights)
    config = cast(dict[str, Any], trunk.pretrained_cfg)
    mean, std = _NORMALISATION.get(name) or (config["mean"], config["std"])
    cast(Any, trunk).reset_classifier(0, "")
    return trunk, tuple(mean), tuple(std)


def _head_options(name: str) -> dict[str, Any]:
    options = dict(_SAME_PADDED.get(name, {}))
    if name.startswith(_LITE):
        options["num_classes"] = 0
    return options


def _torchvision_trunk(name: str, weights: str) -> tuple[nn.Module, tuple[float, ...], tuple[float, ...]]:
    from torchvision.models import get_model

    model = get_model(name, weights=None if weights else "DEFAULT")
    if weights:
        _load(model, weights)
    return model.features, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _load(model: nn.Module, weights: str) -> None:
    if weights.endswith(".safetensors") and "://" not in weights:
        state = load_file(weights)
    elif "://" in weights:
        state = torch.hub.load_state_dict_from_url(weights, map_location="cpu", weights_only=True)
    else:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    model.load_state_dict(state)


def _early_parts(trunk: nn.Module, stages: int) -> list[nn.Module]:
    if stages == 0:
        return []
    blocks = getattr(trunk, "blocks", None)
    if blocks is None or not hasattr(trunk, "conv_stem"):
        if not isinstance(trunk, nn.Sequential):
            raise RecipeError("the trunk has no stages that could be frozen: frozen_stages must be 0")
        return list(trunk)[: stages + 1]
    return [cast(nn.Module, trunk.conv_stem), cast(nn.Module, trunk.bn1), *list(blocks)[:stages]]
