"""Half-precision storage of an exported graph: half the file for the same numbers.

The last step of training rounds the trunk to half precision (:func:`rounded`), so storing it so loses nothing. At
start, onnxruntime turns the constants back to single precision once; it computes in single precision.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

_LEAST = 1024


@torch.no_grad()
def rounded(module: nn.Module) -> None:
    """Round every float parameter and buffer of ``module`` to the nearest half-precision number, in place."""
    for value in [*module.parameters(), *module.buffers()]:
        if value.dtype.is_floating_point:
            value.copy_(value.half().to(value.dtype))


def store_halves(path: Path) -> int:
    """Rewrite the ONNX file with its large float constants in half precision where that is exact; returns how many."""
    model = onnx.load(path)
    casts = []
    for constant in model.graph.initializer:
        if constant.data_type != TensorProto.FLOAT or np.prod(constant.dims, dtype=int) < _LEAST:
            continue
        values = numpy_helper.to_array(constant)
        half = values.astype(np.float16)
        if np.array_equal(half.astype(np.float32), values):
            name = constant.name
            constant.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], f"{name}.single", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)
    return len(casts)
