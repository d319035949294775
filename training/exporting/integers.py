"""A network whose trunk onnxruntime's quantiser has put between integers and back, made faster and more exact.

The quantiser rounds each weight by itself, and leaves a tensor in single precision where a branch of the graph reads
it; the convolution behind it then runs in single precision.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import tee

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from training.exporting.moments import Moments, Pixels, watched
from training.exporting.optional_map import behind
from training.exporting.rounding import round_weights

MEAN = "kernel.mean"
_BIAS_STEPS = 2.0**30


def set_weights(
    integers: onnx.ModelProto, model: onnx.ModelProto, moments: Mapping[str, Moments], largest: int
) -> None:
    """Round the weights of ``model``'s convolutions that have ``moments`` anew, and put them into ``integers``."""
    plain = {constant.name: numpy_helper.to_array(constant) for constant in model.graph.initializer}
    given = {node.name: node for node in model.graph.node if node.name in moments}
    constants = {constant.name: constant for constant in integers.graph.initializer}
    back = {node.output[0]: node for node in integers.graph.node if node.op_type == "DequantizeLinear"}
    for node in integers.graph.node:
        if node.name not in given:
            continue
        pixels, weight, bias = (back[name] for name in node.input)
        step = float(numpy_helper.to_array(constants[pixels.input[1]]))
        added = plain[given[node.name].input[2]].astype(np.float64)
        least = np.abs(added) / (step * _BIAS_STEPS)
        rounded = round_weights(plain[given[node.name].input[1]], moments[node.name], largest, least)
        scale = (rounded.scale * np.float32(step)).astype(np.float32)
        replace(constants[weight.input[0]], rounded.steps)
        replace(constants[weight.input[1]], rounded.scale)
        replace(constants[bias.input[0]], np.round((added + rounded.shift) / scale).astype(np.int32))
        replace(constants[bias.input[1]], scale)


def read_integers(integers: onnx.ModelProto) -> None:
    """Let branches read what comes back from integers, and the trunk the picture's bytes where they are its steps."""
    graph = integers.graph
    constants = {constant.name: constant for constant in graph.initializer}
    there = {node.output[0]: node for node in graph.node if node.op_type == "QuantizeLinear"}
    makers = {node.output[0]: node for node in graph.node}
    back: dict[str, str] = {}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in there:
            before = there[node.input[0]]
            back.setdefault(before.input[0], node.output[0])
            cast = makers.get(before.input[0])
            if cast is not None and cast.op_type == "Cast" and _bytes(before, constants):
                node.input[0] = cast.input[0]
    for node in _inner(graph):
        node.input[:] = [back.get(name, name) for name in node.input]
    _drop_unread(graph)


def align_means(integers: onnx.ModelProto, model: onnx.ModelProto, pictures: Iterable[Pixels]) -> None:
    """Shift the kernel head's mean features by as much as those of ``integers`` differ from ``model``'s, on average."""
    name = next((node.input[0] for node in model.graph.node if list(node.input[1:]) == [MEAN]), None)
    if name is None:
        return
    networks = zip((integers, model), tee(pictures), strict=True)
    both = zip(*(watched(network, [name], given) for network, given in networks), strict=True)
    one, other = np.mean([[values[name][0].mean(0) for values in pair] for pair in both], axis=0)
    mean = next(constant for constant in integers.graph.initializer if constant.name == MEAN)
    replace(mean, (numpy_helper.to_array(mean) + (one - other)).astype(np.float32))


def replace(constant: onnx.TensorProto, values: NDArray[np.generic]) -> None:
    """Give ``constant`` other ``values``, of any kind of number."""
    constant.CopyFrom(numpy_helper.from_array(values, constant.name))


def _bytes(there: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> bool:
    step, zero = (numpy_helper.to_array(constants[name]) for name in there.input[1:3])
    return bool(step == 1 and zero == 0 and zero.dtype == np.uint8)


def _inner(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes within the branches of ``graph``'s nodes."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from attribute.g.node
                yield from _inner(attribute.g)


def _drop_unread(graph: onnx.GraphProto) -> None:
    inner = {name for node in _inner(graph) for name in node.input}
    needed = behind(graph, {output.name for output in graph.output} | inner)
    nodes = [node for node in graph.node if needed.intersection(node.output)]
    constants = [constant for constant in graph.initializer if constant.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
