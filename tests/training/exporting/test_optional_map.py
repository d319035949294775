from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.exporting.optional_map import make_map_optional

pytestmark = pytest.mark.training
CATEGORIES = 2
PICTURES = np.array([[1, 2], [3, 5]], np.float32)
"""What stands for pictures here are their logits; the map is ten times as much, with four cells."""


def value(name: str, sides: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, sides)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A network whose map is worked out from what the logits are worked out from."""
    nodes = [
        helper.make_node("Identity", ["pixels"], ["features"]),
        helper.make_node("Mul", ["features", "ten"], ["tenfold"]),
        helper.make_node("Reshape", ["tenfold", "cell"], ["cells"]),
        helper.make_node("Expand", ["cells", "four"], ["map"]),
        helper.make_node("Identity", ["features"], ["logits"]),
        helper.make_node("Neg", ["features"], ["embedding"]),
    ]
    outputs = [
        value("logits", ["n", CATEGORIES]), value("map", ["n", CATEGORIES, 2, 2]), value("embedding", ["n", CATEGORIES])
    ]  # fmt: skip
    constants = [
        numpy_helper.from_array(np.float32(10), "ten"),
        numpy_helper.from_array(np.array([-1, CATEGORIES, 1, 1]), "cell"),
        numpy_helper.from_array(np.array([1, 1, 2, 2]), "four"),
    ]
    return written(tmp_path, nodes, outputs, constants)


def written(
    folder: Path, nodes: list[onnx.NodeProto], outputs: list[onnx.ValueInfoProto], constants: list[onnx.TensorProto]
) -> Path:
    graph = helper.make_graph(nodes, "network", [value("pixels", ["n", CATEGORIES])], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, folder / "network.onnx")
    return folder / "network.onnx"


def outputs_of(path: Path, **given: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: list[NDArray[np.float32]] = session.run(["logits", "map", "embedding"], {"pixels": PICTURES, **given})
    return found


def test_who_says_nothing_gets_the_map(network: Path) -> None:
    before = outputs_of(network)
    assert make_map_optional(network)
    onnx.checker.check_model(onnx.load(network), full_check=True)
    after = outputs_of(network)
    assert before[1].shape == (2, CATEGORIES, 2, 2) and before[1][1, 1, 0, 0] == 50
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("map_from", "wanted"), [([3.1, 5.1], False), ([3.0, 9.0], True), ([9.0, 5.0], True), ([np.inf, np.inf], False)]
)
def test_a_logit_of_any_picture_that_reaches_its_bound_asks_for_all_maps(
    network: Path, map_from: list[float], wanted: bool
) -> None:
    plain = outputs_of(network)
    make_map_optional(network)
    logits, maps, embedding = outputs_of(network, map_from=np.array(map_from, np.float32))
    np.testing.assert_array_equal(logits, plain[0])
    np.testing.assert_array_equal(embedding, plain[2])
    assert maps.shape == (plain[1].shape if wanted else (0, CATEGORIES, 0, 0))


def test_a_network_that_needs_its_map_is_left_alone(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Reshape", ["pixels", "cell"], ["map"]),
        helper.make_node("ReduceMean", ["map", "sides"], ["logits"], keepdims=0),
        helper.make_node("Neg", ["pixels"], ["embedding"]),
    ]
    outputs = [
        value("logits", ["n", CATEGORIES]), value("map", ["n", CATEGORIES, 1, 1]), value("embedding", ["n", CATEGORIES])
    ]  # fmt: skip
    constants = [
        numpy_helper.from_array(np.array([-1, CATEGORIES, 1, 1]), "cell"),
        numpy_helper.from_array(np.array([2, 3]), "sides"),
    ]
    path = written(tmp_path, nodes, outputs, constants)
    before = path.read_bytes()
    assert not make_map_optional(path)
    assert path.read_bytes() == before
