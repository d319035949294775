"""Trunk, pooling, freezing."""

from pathlib import Path
from typing import Any, cast

import pytest
import timm
import torch
from torch import nn
from torchvision.models import get_model

from training.fitting import network as module
from training.fitting.network import Network, make_trunk
from training.recipe import Kernel, Recipe, RecipeError

pytestmark = pytest.mark.training


def _network(recipe: Recipe, kinds: int = 0, **changes: object) -> Network:
    return Network(recipe.model_copy(update=changes), kinds).eval()


def _scores() -> torch.Tensor:
    return torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("pooling", ["lse", "mean"])
def test_pool_of_a_constant_map_is_the_constant(recipe: Recipe, pooling: str) -> None:
    pooled = _network(recipe, pooling=pooling, sharpness=2.0).pool(torch.full((2, 3, 5, 7), -1.25))
    torch.testing.assert_close(pooled, torch.full((2, 3), -1.25))


def test_mean_pooling_is_the_mean(recipe: Recipe) -> None:
    torch.testing.assert_close(_network(recipe, pooling="mean").pool(_scores()), _scores().mean(dim=(2, 3)))


def test_lse_lies_between_mean_and_peak_and_sharpens(recipe: Recipe) -> None:
    soft, sharp = (_network(recipe, sharpness=value).pool(_scores()) for value in (0.5, 20.0))
    assert (soft > _scores().mean(dim=(2, 3))).all()
    assert (sharp < _scores().amax(dim=(2, 3))).all()
    assert (sharp > soft).all()


def test_outputs_have_their_shapes_and_belong_together(recipe: Recipe) -> None:
    network = _network(recipe)
    pixels = torch.randint(0, 256, (3, 64, 96, 3), dtype=torch.uint8)
    with torch.inference_mode():
        logits, maps, embedding = network(pixels)
    assert logits.shape == (3, 2)
    assert maps.shape == (3, 2, 2, 3)
    assert embedding.shape == (3, network.head.in_channels)
    torch.testing.assert_close(logits, network.pool(maps))


def test_pixels_are_normalised_inside(recipe: Recipe) -> None:
    network = _network(recipe)
    seen: list[torch.Tensor] = []
    network.trunk.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.inference_mode():
        network(torch.full((1, 64, 64, 3), 255, dtype=torch.uint8))
    expected = ((255.0 - network.mean) / network.std).expand(1, 3, 64, 64)
    torch.testing.assert_close(seen[0], expected)


def test_freeze_leaves_early_parameters_without_grad(recipe: Recipe) -> None:
    network = _network(recipe)
    network.freeze(2)
    pixels = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    network(pixels)[0].sum().backward()
    trunk: Any = network.trunk
    frozen = [trunk.conv_stem, trunk.bn1, trunk.blocks[0], trunk.blocks[1]]
    assert all(p.grad is None and not p.requires_grad for part in frozen for p in part.parameters())
    assert all(p.grad is not None for part in [trunk.blocks[2], network.head] for p in part.parameters())


def test_freezing_no_stage_trains_everything(recipe: Recipe) -> None:
    network = _network(recipe)
    network.freeze(0)
    assert all(p.requires_grad for p in network.parameters())


def test_training_keeps_batch_norm_statistics(recipe: Recipe) -> None:
    network = _network(recipe).train()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [norm.running_mean.clone() for norm in norms if norm.running_mean is not None]
    network(torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8))
    after = [norm.running_mean for norm in norms if norm.running_mean is not None]
    assert network.dropout.training
    assert len(before) > 10
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_weights_come_from_the_file(recipe: Recipe) -> None:
    state = torch.load(recipe.trunk_weights, weights_only=True)
    assert torch.equal(cast(Any, _network(recipe).trunk).conv_stem.weight, state["conv_stem.weight"])


def test_weights_that_do_not_fit_are_refused(tmp_path: Path, recipe: Recipe) -> None:
    torch.save({"conv_stem.weight": torch.zeros(1)}, tmp_path / "bad.pt")
    with pytest.raises(RuntimeError, match="state_dict"):
        make_trunk(recipe.trunk, str(tmp_path / "bad.pt"))


def test_kind_head_only_where_kinds_are_named(recipe: Recipe) -> None:
    assert _network(recipe).kind_head is None
    named = _network(recipe, 5).kind_head
    assert named is not None
    assert named.out_features == 5


def test_torchvision_trunk_freezes_its_first_parts(tmp_path: Path, recipe: Recipe) -> None:
    path = tmp_path / "squeezenet.pt"
    torch.save(get_model("squeezenet1_1", weights=None).state_dict(), path)
    network = _network(recipe, trunk="torchvision:squeezenet1_1", trunk_weights=str(path))
    network.freeze(3)
    assert not any(p.requires_grad for p in cast(nn.Sequential, network.trunk)[3].parameters())
    assert all(p.requires_grad for p in cast(nn.Sequential, network.trunk)[4].parameters())


@pytest.mark.parametrize(
    ("trunk", "reason"),
    [
        ("vit_tiny_patch16_224", "not every size of picture fits it"),
        ("mixer_s32_224", "not every size of picture fits it"),
        ("torchvision:swin_t", "top gives no map of features"),
    ],
)
def test_a_trunk_of_tokens_is_refused(recipe: Recipe, trunk: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, **words: create(name, **{**words, "pretrained": False}))
    monkeypatch.setattr("torchvision.models.get_model", lambda name, **_: get_model(name, weights=None))
    with pytest.raises(RecipeError, match=f"the trunk {trunk} cannot be used.*{reason}"):
        Network(recipe.model_copy(update={"trunk": trunk, "trunk_weights": ""}))


class _Gated(nn.Module):
    """A trunk with a gate, a part that gives no map."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.spare = nn.Identity()

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.stem(planes)
        return found * self.gate(found)[:, :, None, None]


@pytest.mark.parametrize("level", ["gate", "spare"])
def test_a_level_that_gives_no_map_is_refused(recipe: Recipe, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make_trunk", lambda *_: (_Gated(), (0.5,) * 3, (0.5,) * 3))
    assert _network(recipe, kernel=Kernel(levels={"stem": 1.0})).head.in_channels == 8
    with pytest.raises(RecipeError, match=f"{level} gives no map of features"):
        _network(recipe, kernel=Kernel(levels={level: 1.0}))
