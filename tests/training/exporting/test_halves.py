from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto

from training.exporting.halves import rounded, store_halves

pytestmark = pytest.mark.training


def _export(network: torch.nn.Module, path: Path) -> None:
    torch.onnx.export(network, (torch.zeros(1, 40),), str(path), dynamo=False, input_names=["x"])


def _run(path: Path, values: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": values})[0])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_rounded_network_is_half_as_large_and_says_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(40, 400), torch.nn.ReLU(), torch.nn.Linear(400, 4)).eval()
    values = torch.randn(1, 40)
    before = network(values).detach()
    rounded(network)
    assert 0 < float((network(values).detach() - before).abs().max()) < 1e-2
    path = tmp_path / "n.onnx"
    _export(network, path)
    plain, size = _run(path, values.numpy()), path.stat().st_size
    assert store_halves(path) == 2
    assert path.stat().st_size < 0.6 * size
    np.testing.assert_array_equal(_run(path, values.numpy()), plain)
    onnx.checker.check_model(onnx.load(path))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_would_lose_precision_is_kept(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "n.onnx"
    _export(torch.nn.Linear(40, 400), path)
    assert store_halves(path) == 0
    assert {item.data_type for item in onnx.load(path).graph.initializer} == {TensorProto.FLOAT}
