"""The folded network says the same of the picture, and reads its bytes."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from training.exporting.graph import write_graph
from training.exporting.normalisation import fold_normalisation

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
PIXELS = np.random.default_rng(3).integers(0, 256, (2, 12, 12, 3), dtype=np.uint8)


class Stem(nn.Module):
    """What our networks begin with."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, float, float], padding: int = 0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([128.0, 64.0, 100.0]).view(1, 3, 1, 1))
        self.trunk = nn.Sequential(nn.ZeroPad2d((0, 1, 1, 2)), nn.Conv2d(3, 4, 3, 2, padding, bias=False))

    def forward(self, pixels: Tensor) -> Tensor:
        """Features ``[N, 4, h, w]``."""
        planes = pixels.permute(0, 3, 1, 2).float()
        features: Tensor = self.trunk((planes - self.mean) / self.std)
        return features


def written(stem: Stem, path: Path) -> Path:
    write_graph(
        stem, torch.from_numpy(PIXELS), path, do_constant_folding=False, output_names=["features"],
        dynamic_axes={"pixels": {0: "n"}},
    )  # fmt: skip
    return path


def features(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = session.run(None, {"pixels": PIXELS})[0]
    return found


def test_same_features_from_the_bytes_themselves(tmp_path: Path) -> None:
    path = written(Stem((127.0, 127.0, 127.0)), tmp_path / "stem.onnx")
    before = features(path)
    assert fold_normalisation(path)
    np.testing.assert_allclose(features(path), before, atol=1e-5)
    graph = onnx.load(path).graph
    assert not {"mean", "std"} & {constant.name for constant in graph.initializer}
    makers = {node.output[0]: node.op_type for node in graph.node}
    assert [makers[node.input[0]] for node in graph.node if node.op_type in ("Pad", "Conv")] == ["Transpose", "Cast"]
    assert not fold_normalisation(path)


@pytest.mark.parametrize(
    "stem", [Stem((127.5,) * 3), Stem((127.0, 126.0, 127.0)), Stem((127.0,) * 3, padding=1)],
    ids=["no whole number", "one for each channel", "pads of its own"],
)  # fmt: skip
def test_what_bytes_cannot_pad_is_left_alone(stem: Stem, tmp_path: Path) -> None:
    path = written(stem, tmp_path / "stem.onnx")
    before = path.read_bytes()
    assert not fold_normalisation(path)
    assert path.read_bytes() == before


def test_another_network_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "plain.onnx"
    torch.onnx.export(nn.Conv2d(3, 4, 3), (torch.zeros(1, 3, 8, 8),), str(path), dynamo=False)
    assert not fold_normalisation(path)
