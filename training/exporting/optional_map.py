"""An activation map that is only worked out where it is wanted.

The map costs one or two hundredths of the network's time (docs/performance.md), and hardly any photo needs it: boxes
and heat maps belong to findings. So what the map alone needs moves into a branch of an ``If`` node (ONNX operators,
If-16), which is taken when a logit of any picture of the batch reaches ``map_from`` ``[C]``, an input with a default
that every logit reaches.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from service.classifier import MAP_FROM

_MAP = "map"


def make_map_optional(path: Path) -> bool:
    """Rewrite the ONNX file; false, and nothing is changed, where the other outputs are worked out from the map.

    Where it is not wanted, ``map`` is empty: ``[0, C, 0, 0]``.
    """
    model = onnx.load(path)
    graph = model.graph
    outputs = {output.name: output for output in graph.output}
    needed = behind(graph, [name for name in outputs if name != _MAP])
    own = [node for node in graph.node if not needed.intersection(node.output)]
    if not any(_MAP in node.output for node in own):
        return False
    kept = [node for node in graph.node if needed.intersection(node.output)]
    count = outputs["logits"].type.tensor_type.shape.dim[1].dim_value
    branch = helper.make_node(
        "If", ["map.wanted"], [_MAP], "map", then_branch=_worked_out(own, count), else_branch=_empty(count)
    )
    del graph.node[:]
    graph.node.extend([*kept, *_question(), branch])
    graph.input.append(helper.make_tensor_value_info(MAP_FROM, TensorProto.FLOAT, [count]))
    graph.initializer.append(numpy_helper.from_array(np.full(count, -np.inf, np.float32), MAP_FROM))
    # sizes that hold in one of the branches only
    dimensions = outputs[_MAP].type.tensor_type.shape.dim
    for index, name in ((0, "maps"), (2, "h"), (3, "w")):
        dimensions[index].dim_param = name
    onnx.save(model, path)
    return True


def behind(graph: onnx.GraphProto, names: Iterable[str]) -> set[str]:
    """Everything that ``names`` are worked out from, and they themselves."""
    found = set(names)
    for node in reversed(graph.node):
        if found.intersection(node.output):
            found.update(node.input)
    return found


def _question() -> list[onnx.NodeProto]:
    """Whether any logit reaches ``map_from``."""
    return [
        helper.make_node("GreaterOrEqual", ["logits", MAP_FROM], ["map.reached"]),
        helper.make_node("Cast", ["map.reached"], ["map.reached.number"], to=TensorProto.INT32),
        helper.make_node("ReduceMax", ["map.reached.number"], ["map.most"], keepdims=0),
        helper.make_node("Cast", ["map.most"], ["map.wanted"], to=TensorProto.BOOL),
    ]


def _worked_out(nodes: Iterable[onnx.NodeProto], count: int) -> onnx.GraphProto:
    """The branch with the nodes of the map; a branch's output needs a name of its own."""
    own = []
    for node in nodes:
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        copied.output[:] = ["map.worked_out" if name == _MAP else name for name in node.output]
        own.append(copied)
    result = helper.make_tensor_value_info("map.worked_out", TensorProto.FLOAT, ["n", count, "h", "w"])
    return helper.make_graph(own, "map", [], [result])


def _empty(count: int) -> onnx.GraphProto:
    nothing = numpy_helper.from_array(np.zeros((0, count, 0, 0), np.float32), "map.nothing.value")
    result = helper.make_tensor_value_info("map.nothing", TensorProto.FLOAT, [0, count, 0, 0])
    return helper.make_graph([helper.make_node("Constant", [], ["map.nothing"], value=nothing)], "no map", [], [result])
