"""The kernel head's product of features with landmarks in 8-bit integers.

Every picture reads all landmarks, most of the numbers that are no trunk's weights; so they are a quarter as long. A
similarity sums over a thousand features or more, so the errors of single numbers all but cancel (docs/performance.md,
int8).
"""

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.exporting.integers import MEAN, replace
from training.exporting.moments import Pixels, watched

_MIDDLE, _STEPS = 128, 127


def round_landmarks(model: onnx.ModelProto, pictures: Iterable[Pixels], largest: int) -> bool:
    """Work out ``model``'s product with the landmarks in integers; false, and nothing is changed, where it has none.

    Features get one scale, by the widest range that they have over ``pictures``, uint8 ``[1, size, size, 3]`` each;
    landmarks one each, and at most ``largest`` steps from zero.
    """
    graph = model.graph
    constants = {constant.name: constant for constant in graph.initializer}
    place = _product(graph.node, constants)
    if place is None:
        return False
    node = graph.node[place]
    features, marks = node.input
    reach = max(float(np.abs(values[features]).max()) for values in watched(model, [features], pictures))
    step = np.float32(reach / _STEPS)
    rounded, scale = _rounded(numpy_helper.to_array(constants[marks]), largest)
    replace(constants[marks], rounded)
    names = [f"{node.name}.{part}" for part in ("step", "middle", "scale", "steps", "sum", "number")]
    for name, value in zip(names, (step, np.uint8(_MIDDLE), scale * step), strict=False):
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    given_step, middle, given_scale, steps, total, number = names
    nodes = [
        helper.make_node("QuantizeLinear", [features, given_step, middle], [steps], steps),
        helper.make_node("MatMulInteger", [steps, marks, middle], [total], total),
        helper.make_node("Cast", [total], [number], number, to=TensorProto.FLOAT),
        helper.make_node("Mul", [number, given_scale], list(node.output), node.name),
    ]
    nodes = [*graph.node[:place], *nodes, *graph.node[place + 1 :]]
    del graph.node[:]
    graph.node.extend(nodes)
    return True


def _product(nodes: Iterable[onnx.NodeProto], constants: Mapping[str, onnx.TensorProto]) -> int | None:
    """Where the product is: with as many rows of constants as the head has features."""
    depth = list(constants[MEAN].dims) if MEAN in constants else []
    for place, node in enumerate(nodes):
        if node.op_type == "MatMul" and node.input[1] in constants and [*constants[node.input[1]].dims][:1] == depth:
            return place
    return None


def _rounded(marks: NDArray[np.float32], largest: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """``marks`` ``[D, J]`` in steps of ``[J]``."""
    scale = np.maximum(np.abs(marks).max(0) / largest, np.finfo(np.float32).tiny)
    return np.round(marks / scale).astype(np.int8), scale.astype(np.float32)
