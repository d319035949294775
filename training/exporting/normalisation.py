"""The trunk's normalisation, folded into its first convolution: raw pixels go in.

``(x - mean) / std`` before a convolution is another convolution, of ``x``, with weights ``/ std`` and a bias. Padding
needs the pixel that normalisation makes 0, so the mean must be one whole number for all channels, as EfficientNet-Lite
has it (127); then pixels stay bytes until the convolution. Saves two passes over the picture, and gives a network in
8-bit integers its first input without any rounding.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

_MEAN, _STD = "mean", "std"


def fold_normalisation(path: Path) -> bool:
    """Rewrite the ONNX file; false, and nothing is changed, where it has another shape or mean."""
    model = onnx.load(path)
    graph = model.graph
    chain = _chain(graph)
    constants = {constant.name: constant for constant in graph.initializer}
    if chain is None or not {_MEAN, _STD, chain[-1].input[1]} <= set(constants):
        return False
    cast, minus, over, pad, convolution = chain
    mean, std = (numpy_helper.to_array(constants[name]).ravel().astype(np.float64) for name in (_MEAN, _STD))
    if len(set(mean)) != 1 or mean[0] not in range(256) or len(convolution.input) > 2 or _padded(convolution):
        return False
    name, padded = convolution.input[1], pad.output[0]
    weight = numpy_helper.to_array(constants[name]) / std[:, None, None]
    constants[name].CopyFrom(numpy_helper.from_array(weight.astype(np.float32), name))
    shift = -(weight * mean[0]).sum((1, 2, 3)).astype(np.float32)
    graph.initializer.append(numpy_helper.from_array(shift, f"{name}.shift"))
    graph.initializer.append(numpy_helper.from_array(np.array(mean[0], np.uint8), "mean.pixel"))
    convolution.input.append(f"{name}.shift")
    pad.input[0], pad.input[2], pad.output[0] = cast.input[0], "mean.pixel", f"{padded}.bytes"
    cast.input[0], cast.output[0] = pad.output[0], padded
    nodes = [node for node in graph.node if node.name not in (cast.name, minus.name, over.name)]
    nodes.insert([node.name for node in nodes].index(pad.name) + 1, cast)
    del graph.node[:]
    graph.node.extend(nodes)
    for name in (_MEAN, _STD):
        graph.initializer.remove(constants[name])
    onnx.save(model, path)
    return True


def _chain(graph: onnx.GraphProto) -> list[onnx.NodeProto] | None:
    """Cast, minus the mean, over the deviation, pad with zeros, convolution: each the only reader of the one before."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = [node for node in readers.get(_MEAN, []) if node.op_type == "Sub"]
    makers = {node.output[0]: node for node in graph.node if node.output}
    if len(found) != 1 or (cast := makers.get(found[0].input[0])) is None or cast.op_type != "Cast":
        return None
    chain = [cast, found[0]]
    for kind in ("Div", "Pad", "Conv"):
        following = readers.get(chain[-1].output[0], [])
        if len(following) != 1 or following[0].op_type != kind or (kind == "Pad" and len(following[0].input) < 3):
            return None
        chain.append(following[0])
    return chain if chain[2].input[1] == _STD and _zero(makers.get(chain[3].input[2])) else None


def _zero(constant: onnx.NodeProto | None) -> bool:
    values = [numpy_helper.to_array(attribute.t) for attribute in constant.attribute] if constant else []
    return len(values) == 1 and not np.any(values[0])


def _padded(convolution: onnx.NodeProto) -> bool:
    return any(any(attribute.ints) for attribute in convolution.attribute if attribute.name == "pads")
