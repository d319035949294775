"""The product with the landmarks in integers says nearly what it said."""

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.exporting.landmarks import round_landmarks

pytestmark = pytest.mark.training
DEPTH, LANDMARKS = 40, 7


def network(marks: NDArray[np.float32], mean: str = "kernel.mean") -> onnx.ModelProto:
    """The first 40 numbers of a picture, less their mean, by the landmarks; and by another constant."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["single"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["single", "shape"], ["flat"]),
        helper.make_node("Sub", ["flat", mean], ["features"]),
        helper.make_node("MatMul", ["small", "other"], ["beside"]),
        helper.make_node("MatMul", ["features", "marks"], ["similar"], "product"),
    ]
    constants = {
        "shape": np.array([-1, DEPTH]), mean: np.full(DEPTH, 128, np.float32), "marks": marks,
        "small": np.ones((2, 3), np.float32), "other": np.ones((3, 2), np.float32),
    }  # fmt: skip
    given = helper.make_tensor_value_info("pixels", TensorProto.UINT8, [1, 2, 20, 3])
    outputs = [helper.make_empty_tensor_value_info(name) for name in ("similar", "beside")]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "head", [given], outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def run(model: onnx.ModelProto, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"pixels": pixels}))


@pytest.fixture
def pictures() -> list[NDArray[np.uint8]]:
    generator = np.random.default_rng(1)
    return [generator.integers(0, 256, (1, 2, 20, 3), np.uint8) for _ in range(3)]


def test_products_are_near_for_large_and_small_landmarks(pictures: list[NDArray[np.uint8]]) -> None:
    marks = np.random.default_rng(0).normal(size=(DEPTH, LANDMARKS)).astype(np.float32)
    marks *= 10.0 ** np.arange(LANDMARKS, dtype=np.float32)
    marks[:, 0] = 0
    plain, model = network(marks), network(marks)
    assert round_landmarks(model, pictures, 63)
    whole = {c.name: numpy_helper.to_array(c) for c in model.graph.initializer}["marks"]
    assert whole.dtype == np.int8 and whole.min() >= -63 and whole.max() <= 63
    assert [node.op_type for node in model.graph.node].count("MatMul") == 1, "the other product stays"
    for pixels in pictures:
        (one, beside), (other, same) = run(plain, pixels), run(model, pixels)
        np.testing.assert_array_equal(beside, same)
        spread = np.linalg.norm(pixels.astype(float) - 128) * np.abs(marks).max(0)
        assert (np.abs(one - other) <= 0.01 * spread).all() and (one[:, 1:] != other[:, 1:]).any()


def test_a_feature_beyond_the_widest_is_taken_for_the_widest(pictures: list[NDArray[np.uint8]]) -> None:
    model = network(np.eye(DEPTH, LANDMARKS, dtype=np.float32))
    narrow = [(picture // 4 + 96).astype(np.uint8) for picture in pictures]  # at most 32 from the middle
    reach = max(np.abs(picture.astype(float) - 128).max() for picture in narrow)
    round_landmarks(model, narrow, 63)
    similar, _ = run(model, np.full((1, 2, 20, 3), 255, np.uint8))
    np.testing.assert_allclose(similar, reach, rtol=1e-5)


def test_a_head_without_landmarks_is_left_alone(pictures: list[NDArray[np.uint8]]) -> None:
    model = network(np.ones((DEPTH, LANDMARKS), np.float32), mean="linear.mean")
    before = model.SerializeToString()
    assert not round_landmarks(model, pictures, 63)
    assert model.SerializeToString() == before
