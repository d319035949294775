"""Padding written into the exported graph as constants.

TensorFlow's SAME padding depends on the size of the input, so timm works it out anew at every call. A graph exported
that way keeps the arithmetic, and onnxruntime cannot fuse it into the convolutions. The input size is fixed by the
preprocessing contract: so are the pads.
"""

import copy
from functools import partial
from typing import cast

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.padding import get_same_padding
from torch import Tensor, nn


def with_fixed_padding(network: nn.Module, pixels: Tensor) -> nn.Module:
    """A copy of ``network`` whose SAME-padded convolutions have the constant pads that the input ``pixels`` needs."""
    fixed = copy.deepcopy(network)
    found: dict[str, tuple[int, int]] = {}

    def keep(name: str, _module: nn.Module, given: tuple[Tensor, ...]) -> None:
        found[name] = cast(tuple[int, int], tuple(given[0].shape[-2:]))

    handles = [
        module.register_forward_pre_hook(partial(keep, name))
        for name, module in fixed.named_modules()
        if isinstance(module, Conv2dSame)
    ]
    with torch.no_grad():
        fixed(pixels)
    for handle in handles:
        handle.remove()
    for name, size in found.items():
        parent, _, leaf = name.rpartition(".")
        setattr(fixed.get_submodule(parent), leaf, _fixed(cast(Conv2dSame, fixed.get_submodule(name)), size))
    return fixed


def _fixed(convolution: Conv2dSame, size: tuple[int, int]) -> nn.Sequential:
    plain = nn.Conv2d(
        convolution.in_channels, convolution.out_channels, cast(tuple[int, int], convolution.kernel_size),
        cast(tuple[int, int], convolution.stride), 0, cast(tuple[int, int], convolution.dilation),
        convolution.groups, convolution.bias is not None,
    )  # fmt: skip
    plain.load_state_dict(convolution.state_dict())
    high, wide = (
        int(get_same_padding(side, kernel, stride, dilation))
        for side, kernel, stride, dilation in zip(
            size, convolution.kernel_size, convolution.stride, convolution.dilation, strict=True
        )
    )
    pads = (wide // 2, wide - wide // 2, high // 2, high - high // 2)
    return nn.Sequential(nn.ZeroPad2d(pads), plain)
