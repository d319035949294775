"""The 8-bit network says nearly what the given one says, and is a model like any other."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from service.classifier import Classifier
from service.contract import Contract, file_sha256, load_contract
from training.exporting.export import export, score
from training.exporting.quantize import quantize
from training.fitting.network import Network
from training.fitting.refit import refit
from training.photos.dataset import read_pixels
from training.photos.manifest import Photo, select
from training.recipe import Kernel, Recipe

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def pair(recipe: Recipe, photos: list[Photo], tmp_path_factory: pytest.TempPathFactory) -> tuple[Contract, Path]:
    """The 8-bit contract, and the folder that holds it beside ``tiny``."""
    folder = tmp_path_factory.mktemp("pair")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = Network(recipe, 4)
    kernel = Kernel.model_validate({"levels": {"blocks.4": 0.3, "top": 0.3}, "landmarks": 10})
    network, _, _ = refit(network, recipe.model_copy(update={"kernel": kernel}), select(photos, "train"))
    export(network, recipe, photos, folder, "tiny", photos[0].path)
    return quantize(folder / "tiny.json", photos, folder, "tiny-int8", count=6), folder


def test_scores_are_near_and_ranked_alike(pair: tuple[Contract, Path], photos: list[Photo]) -> None:
    contract, folder = pair
    val = select(photos, "val")
    plain = score(Classifier(load_contract(folder / "tiny.json"), folder), val)
    small = score(Classifier(contract, folder), val)
    assert np.abs(plain - small).max() > 0
    for column in range(plain.shape[1]):
        assert np.corrcoef(plain[:, column], small[:, column])[0, 1] > 0.9


def test_trunk_is_in_integers_and_head_is_not(pair: tuple[Contract, Path]) -> None:
    contract, folder = pair
    graph = onnx.load(folder / contract.file).graph
    whole = {constant.name for constant in graph.initializer if constant.data_type == onnx.TensorProto.INT8}
    scaled = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in whole}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert convolutions and all(node.input[1] in scaled for node in convolutions)
    products = [node for node in graph.node if node.op_type in ("MatMul", "Gemm")]
    assert products and not any(set(node.input) & scaled for node in products)
    assert [node.op_type for node in graph.node].count("MatMulInteger") == 1, "but the product with the landmarks"


def test_only_the_head_is_in_single_precision(pair: tuple[Contract, Path], tmp_path: Path) -> None:
    """Also what the branch with the map reads: onnxruntime finds an integer kernel for each convolution."""
    contract, folder = pair
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(folder / contract.file, options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)
    assert kinds["QLinearConv"] > 40 and kinds["Conv"] == kinds["NhwcFusedConv"] == 0
    assert kinds["QuantizeLinear"] == 2  # the picture, whose mean is no whole number here, and the head's features


def test_weights_are_in_seven_bits(pair: tuple[Contract, Path]) -> None:
    """Else processors without VNNI would add them up otherwise."""
    contract, folder = pair
    graph = onnx.load(folder / contract.file).graph
    small = [c for c in graph.initializer if c.data_type == onnx.TensorProto.INT8 and len(c.dims) in (2, 4)]
    whole = [numpy_helper.to_array(constant) for constant in small]
    assert len(whole) > 40
    assert all(np.abs(weights.astype(int)).max() <= 63 for weights in whole)


def test_a_batch_has_the_scores_of_its_pictures(pair: tuple[Contract, Path], photos: list[Photo]) -> None:
    contract, folder = pair
    classifier = Classifier(contract, folder)
    pixels = np.stack([read_pixels(photo, contract.preprocessing) for photo in photos[:3]])
    together = classifier.run(pixels)
    for index in range(3):
        alone = classifier.run(pixels[index : index + 1])
        np.testing.assert_allclose(together.logits[index], alone.logits[0], atol=1e-4)
        np.testing.assert_allclose(together.maps[index], alone.maps[0], atol=1e-4)


def test_scales_are_per_channel(pair: tuple[Contract, Path]) -> None:
    contract, folder = pair
    graph = onnx.load(folder / contract.file).graph
    sizes = {constant.name: list(constant.dims) for constant in graph.initializer}
    weights = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.output[0] in weights:
            assert sizes[node.input[1]] == sizes[node.input[0]][:1]


def test_contract_is_whole(pair: tuple[Contract, Path]) -> None:
    contract, folder = pair
    assert load_contract(folder / "tiny-int8.json") == contract
    assert contract.sha256 == file_sha256(folder / contract.file)
    assert contract.training["quantized"]["from"] == "tiny"
    assert all(category.calibration.fitted_on.startswith("val, ") for category in contract.categories)
    assert (folder / contract.selftest.file).exists() and set(contract.selftest.probabilities) == set(contract.ids)


def test_no_photo_of_train(pair: tuple[Contract, Path], photos: list[Photo], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no photo of train"):
        quantize(pair[1] / "tiny.json", select(photos, "val"), tmp_path, "none", count=6)
