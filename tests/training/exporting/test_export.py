"""The exported model says what torch says."""

import copy
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from service.classifier import Classifier
from service.contract import Contract, file_sha256, load_contract
from service.imaging import prepare
from training.exporting.export import export, largest_difference, score
from training.fitting.network import Network
from training.fitting.refit import refit
from training.photos.manifest import Photo, select
from training.photos.readable import LIMITS
from training.recipe import Kernel, Recipe

pytestmark = pytest.mark.training
NAME = "tiny"


@dataclass(frozen=True)
class Exported:
    """A random network and what its export wrote."""

    network: Network
    contract: Contract
    folder: Path


@pytest.fixture(scope="module", params=["convolutional", "kernel"])
def exported(
    recipe: Recipe, photos: list[Photo], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Exported:
    folder = tmp_path_factory.mktemp("exported")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = Network(recipe, 4)
        torch.nn.init.normal_(network.head.weight, std=0.5)
    if request.param == "kernel":
        kernel = Kernel.model_validate({"levels": {"blocks.4": 0.3, "top": 0.3}, "landmarks": 10})
        network, _, _ = refit(network, recipe.model_copy(update={"kernel": kernel}), select(photos, "train"))
    contract = export(network, recipe, photos, folder / "new", NAME, photos[0].path)
    return Exported(network, contract, folder / "new")


def _session(exported: Exported) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(exported.folder / f"{NAME}.onnx", providers=["CPUExecutionProvider"])


def test_torch_and_onnx_agree(exported: Exported, photos: list[Photo]) -> None:
    classifier = Classifier(exported.contract, exported.folder)
    worst = largest_difference(exported.network, classifier, select(photos, "val")[::3])
    assert worst["probabilities"] < 1e-3
    assert worst["logits"] < 1e-2


def test_difference_sees_another_network(exported: Exported, photos: list[Photo]) -> None:
    classifier = Classifier(exported.contract, exported.folder)
    other = copy.deepcopy(exported.network)
    with torch.no_grad():
        next(other.trunk.parameters()).mul_(0.5)
    worst = largest_difference(other, classifier, select(photos, "val")[:2])
    assert worst["logits"] > 1e-2


def test_a_network_that_gives_no_numbers_differs(exported: Exported, photos: list[Photo]) -> None:
    other = copy.deepcopy(exported.network)
    with torch.no_grad():
        (other.kernel.bias if other.kernel else other.head.weight).fill_(math.nan)
    worst = largest_difference(other, Classifier(exported.contract, exported.folder), select(photos, "val")[:2])
    assert math.isnan(worst["probabilities"])


def test_photos_do_not_all_score_alike(exported: Exported, photos: list[Photo]) -> None:
    logits = score(Classifier(exported.contract, exported.folder), select(photos, "val"))
    assert logits.shape == (16, 2)
    assert (logits.std(axis=0) > 1e-3).all()


def test_contract_loads_and_names_the_file(exported: Exported, recipe: Recipe) -> None:
    contract = load_contract(exported.folder / f"{NAME}.json")
    assert contract == exported.contract
    assert contract.sha256 == file_sha256(exported.folder / contract.file)
    assert contract.ids == tuple(recipe.categories)
    assert contract.preprocessing.size == recipe.size


def test_contract_counts_the_photos(exported: Exported) -> None:
    assert exported.contract.categories[0].support == {"train": 3, "val": 4, "test": 1}
    assert exported.contract.val_prevalence == {"ivory": 0.25, "rhino_horn": 0.25}
    assert exported.contract.training["photos"]["val"]["listing"] == 4


def test_contract_names_the_trunk_but_not_where_it_lay(exported: Exported, recipe: Recipe) -> None:
    assert "/" in recipe.trunk_weights
    assert exported.contract.training["recipe"]["trunk_weights"] == "trunk.pt"


def test_thresholds_and_calibration_are_chosen(exported: Exported) -> None:
    for category in exported.contract.categories:
        assert set(category.thresholds) == {"sensitive", "review", "priority"}
        assert category.calibration.fitted_on.startswith("val, ")


def test_self_test_repeats(exported: Exported) -> None:
    data = (exported.folder / f"{NAME}.selftest.png").read_bytes()
    _, pixels = prepare(data, LIMITS, exported.contract.preprocessing)
    found = Classifier(exported.contract, exported.folder).run(pixels[None]).probabilities[0]
    expected = exported.contract.selftest.probabilities
    assert dict(zip(exported.contract.ids, found, strict=True)) == pytest.approx(expected, abs=1e-5)


def test_self_test_picture_is_small(exported: Exported) -> None:
    with Image.open(exported.folder / f"{NAME}.selftest.png") as image:
        assert max(image.size) <= 160


@pytest.mark.parametrize("output", ["logits", "map", "embedding"])
def test_batches_of_one_and_three_agree(exported: Exported, output: str) -> None:
    session = _session(exported)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)).astype(np.uint8)
    together = session.run([output], {"pixels": pixels})[0]
    alone = [session.run([output], {"pixels": row[None]})[0][0] for row in pixels]
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-5, atol=1e-5)
    assert not np.allclose(together[0], together[1], rtol=1e-5, atol=1e-5)
