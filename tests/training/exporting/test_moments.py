"""Moments are those of what each weight meets."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from training.exporting.graph import write_graph
from training.exporting.moments import input_moments

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


class Convolutions(nn.Module):
    """One of each kind, with strides and pads."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.grouped = nn.Conv2d(4, 6, 1, groups=2)

    def forward(self, pixels: Tensor) -> Tensor:
        """Features of pixels ``[N, H, W, 3]``."""
        features: Tensor = self.grouped(self.depthwise(self.first(pixels.permute(0, 3, 1, 2).float())))
        return features


def test_mean_output_and_its_spread_follow_from_the_moments(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, path = Convolutions().eval(), tmp_path / "network.onnx"
    pictures = [np.random.default_rng(seed).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8) for seed in range(3)]
    write_graph(network, torch.from_numpy(pictures[0]), path, output_names=["features"])
    model = onnx.load(path)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    found = input_moments(model, convolutions, pictures, seed=0)
    values = torch.cat([torch.from_numpy(picture) for picture in pictures]).permute(0, 3, 1, 2).float()
    for node, layer in zip(convolutions, (network.first, network.depthwise, network.grouped), strict=True):
        moments = found[node.name]
        values = layer(values).detach()
        weights = layer.weight.detach().double().reshape(len(moments.mean), -1, moments.mean.shape[1]).numpy()
        assert layer.bias is not None
        mean = (weights @ moments.mean[:, :, None]).ravel() + layer.bias.detach().numpy()
        spread = (weights @ moments.covariance * weights).sum(2).ravel()
        # 64 positions are all there are, so these are no samples
        np.testing.assert_allclose(mean, values.mean((0, 2, 3)), rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(spread, values.var((0, 2, 3), correction=0), rtol=1e-3)
