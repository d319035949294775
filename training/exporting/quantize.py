"""A network in 8-bit integers: static quantisation of the trunk, calibrated on photos of the training split.

QDQ format, unsigned 8-bit activations and signed 8-bit weights with a scale for each channel, as onnxruntime recommends
for CPUs with VNNI (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). Weights use 7 of
their 8 bits: CPUs with AVX2 and no VNNI add products in 16 bits, which overflow otherwise (same page), and then scores
would depend on the machine. How they are rounded: :mod:`training.exporting.rounding`. Of the head, the product with
the landmarks is in integers too (:mod:`training.exporting.landmarks`); the rest is small, and its error would go
straight into the score.
"""

import datetime
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from tqdm import tqdm

from service.classifier import Classifier
from service.contract import Contract, Preprocessing, file_sha256, load_contract
from training.exporting.calibration import check_calibration
from training.exporting.export import fitted, score, with_self_test
from training.exporting.halves import store_halves
from training.exporting.integers import align_means, read_integers, set_weights
from training.exporting.landmarks import round_landmarks
from training.exporting.moments import Pixels, input_moments
from training.exporting.whole import written_whole
from training.fitting.crossfit import fitted_on_val
from training.photos.dataset import read_pixels
from training.photos.manifest import Photo, select
from training.photos.readable import LIMITS, check_readable

_TRUNK = "/trunk/"
_KINDS = ("Conv", "Add", "Clip", "Pad")
_LARGEST = 63
# the integers add up alike everywhere; going back to them may round otherwise on another processor
_TOLERANCE = 0.02


def quantize(model: Path, photos: Sequence[Photo], folder: Path, name: str, count: int, seed: int = 0) -> Contract:
    """Write ``name.onnx``, ``name.json`` and ``name.selftest.png`` to ``folder``, from the contract ``model``.

    ``count`` photos of train, or all when there are fewer, give the ranges of the activations, read through the
    service's preprocessing. Calibration and thresholds are chosen anew on val, or kept where the head was fitted on val
    too. Before anything is written, raises ValueError when there is no photo of train, or none of val that could be
    calibrated on, or no trunk in the graph, and :class:`~training.photos.manifest.ManifestError`, a line a photo, where
    some cannot be read.
    """
    source = load_contract(model)
    chosen = _choose(photos, count, seed)
    val = None if fitted_on_val(source) else select(photos, "val", _left_out(source))
    if val is not None:
        check_calibration(source.ids, val, "val")
    check_readable([photo.path for photo in [*chosen, *(val or ())]], LIMITS)
    with written_whole(folder, name) as made:
        path, picture = made / f"{name}.onnx", f"{name}.selftest.png"
        _write(model.parent / source.file, path, partial(_read, chosen, source.preprocessing), seed)
        shutil.copyfile(model.parent / source.selftest.file, made / picture)
        draft = source.model_copy(update={
            "name": name, "created": datetime.date.today().isoformat(), "file": path.name, "sha256": file_sha256(path),
            "selftest": source.selftest.model_copy(update={"file": picture, "tolerance": _TOLERANCE}),
            "training": {
                **source.training, "quantized": {"from": source.name, "sha256": source.sha256, "photos": len(chosen)},
            },
        })  # fmt: skip
        if val is not None:
            draft = fitted(draft, val, score(Classifier(draft, made), val))
        return with_self_test(draft, made)


def _left_out(source: Contract) -> list[str]:
    return list(source.training.get("recipe", {}).get("leave_out_sources", []))


def prepared(path: Path) -> onnx.ModelProto:
    """The graph with constants worked out and batch norms folded into convolutions."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "prepared.onnx")
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def _write(source: Path, path: Path, pictures: Callable[[], Iterator[Pixels]], seed: int) -> None:
    model = prepared(source)
    trunk = _trunk(model.graph)
    if not trunk:
        raise ValueError(f"{source} has no trunk that could be quantised")
    convolutions = [node for node in trunk if node.op_type == "Conv" and len(node.input) > 2]
    moments = input_moments(model, convolutions, pictures(), seed)
    quantize_static(
        onnx.ModelProto.FromString(model.SerializeToString()),  # which it empties
        path, _Reader(pictures()), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=list(_KINDS),
        nodes_to_quantize=[node.name for node in trunk], calibrate_method=CalibrationMethod.MinMax,
    )  # fmt: skip
    integers = onnx.load(path)
    set_weights(integers, model, moments, _LARGEST)
    read_integers(integers)
    align_means(integers, model, pictures())
    round_landmarks(integers, pictures(), _LARGEST)
    onnx.save(integers, path)
    store_halves(path)


def _trunk(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """What is to be quantised; not a pad of the picture's bytes."""
    whole = {constant.name for constant in graph.initializer if constant.data_type == onnx.TensorProto.UINT8}
    named = [node for node in graph.node if node.op_type in _KINDS and node.name.startswith(_TRUNK)]
    return [node for node in named if not (node.op_type == "Pad" and whole.intersection(node.input))]


def _choose(photos: Sequence[Photo], count: int, seed: int) -> list[Photo]:
    """Photos of train at random, products as often as they come: the ranges should be those of real streams."""
    train = select(photos, "train")
    if not train:
        raise ValueError("there is no photo of train to calibrate on")
    order = np.random.default_rng(seed).permutation(len(train))[:count]
    return [train[int(index)] for index in order]


def _read(photos: Sequence[Photo], rule: Preprocessing) -> Iterator[Pixels]:
    for photo in tqdm(photos, "measuring", unit="photo", mininterval=2):
        yield read_pixels(photo, rule)[None]


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Pictures as the quantiser reads them: one at a time, none kept."""

    def __init__(self, pictures: Iterator[Pixels]) -> None:
        self._pictures = pictures

    def get_next(self) -> dict[str, Pixels] | None:
        """The next picture, None after the last."""
        pixels = next(self._pictures, None)
        return None if pixels is None else {"pixels": pixels}
