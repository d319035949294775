"""What goes into each convolution of a network: the moments that say what rounding its weights does to its output."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper

_POSITIONS = 150

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Moments:
    """Of the ``K`` numbers that a weight is multiplied with: ``mean`` ``[G, K]`` and ``covariance`` ``[G, K, K]``.

    ``G``: groups of the convolution; ``K``: channels of a group times the kernel's cells, in the order of the weights.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


@dataclass(slots=True)
class _Sums:
    count: int
    first: NDArray[np.float64]
    second: NDArray[np.float64]

    def add(self, patches: NDArray[np.float64]) -> None:
        self.count += patches.shape[1]
        self.first = self.first + patches.sum(1)
        self.second = self.second + patches.transpose(0, 2, 1) @ patches

    def moments(self) -> Moments:
        mean = self.first / self.count
        return Moments(mean, self.second / self.count - mean[:, :, None] * mean[:, None, :])


def input_moments(
    model: onnx.ModelProto, convolutions: Sequence[onnx.NodeProto], pictures: Iterable[Pixels], seed: int
) -> dict[str, Moments]:
    """Moments for each of the ``convolutions`` of ``model``, by name, over 150 positions of each picture.

    ``pictures``: uint8 ``[1, size, size, 3]`` each. Weights must be constants, and padding written as numbers.
    """
    shapes = {constant.name: tuple(constant.dims) for constant in model.graph.initializer}
    generator = np.random.default_rng(seed)
    sums = {node.name: _Sums(0, np.zeros(1), np.zeros(1)) for node in convolutions}
    for values in watched(model, sorted({node.input[0] for node in convolutions}), pictures):
        for node in convolutions:
            sums[node.name].add(_patches(values[node.input[0]][0], node, shapes[node.input[1]], generator))
    return {name: kept.moments() for name, kept in sums.items()}


def watched(
    model: onnx.ModelProto, names: Sequence[str], pictures: Iterable[Pixels]
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """The values that ``names`` have within ``model`` for each of the ``pictures``."""
    open_one = onnx.ModelProto()
    open_one.CopyFrom(model)
    shown = {output.name for output in open_one.graph.output}
    open_one.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names if name not in shown)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(open_one.SerializeToString(), options, providers=["CPUExecutionProvider"])
    for pixels in pictures:
        yield dict(zip(names, session.run(list(names), {"pixels": pixels}), strict=True))


def _patches(
    values: NDArray[np.float32], node: onnx.NodeProto, shape: tuple[int, ...], generator: np.random.Generator
) -> NDArray[np.float64]:
    """What the weights ``[R, K / cells, height, width]`` of ``node`` meet at some positions: ``[G, positions, K]``."""
    options = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    top, left, bottom, right = options.get("pads", [0, 0, 0, 0])
    (down, across), (tall, wide) = options.get("strides", [1, 1]), options.get("dilations", [1, 1])
    padded = np.pad(values, ((0, 0), (top, bottom), (left, right)))
    rows = (padded.shape[1] - (shape[2] - 1) * tall - 1) // down + 1
    columns = (padded.shape[2] - (shape[3] - 1) * wide - 1) // across + 1
    places = generator.permutation(rows * columns)[:_POSITIONS]
    y, x = places // columns * down, places % columns * across
    cells = [padded[:, y + i * tall, x + j * wide] for i in range(shape[2]) for j in range(shape[3])]
    grouped = np.stack(cells, axis=2).reshape(options.get("group", 1), shape[1], len(places), len(cells))
    return grouped.transpose(0, 2, 1, 3).reshape(len(grouped), len(places), -1).astype(np.float64)
