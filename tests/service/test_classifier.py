import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from service.classifier import Classifier
from service.contract import file_sha256, load_contract
from service.detector import DEFAULT_MODEL, Detector, shipped_weights
from service.errors import StartError
from service.settings import Settings


def test_a_network_may_not_take_weights_from_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime reads such files from the working directory; nobody checks their SHA-256."""
    onnx = pytest.importorskip("onnx")
    contract = load_contract(shipped_weights() / DEFAULT_MODEL)
    network = tmp_path / "outside.onnx"
    onnx.save_model(
        onnx.load(shipped_weights() / contract.file), network, save_as_external_data=True, location="outside.bin"
    )
    assert (tmp_path / "outside.bin").stat().st_size > 1_000_000
    monkeypatch.chdir(tmp_path)
    changed = contract.model_copy(update={"file": network.name, "sha256": file_sha256(network)})
    with pytest.raises(StartError, match=r"External data|not regular file"):
        Classifier(changed, tmp_path)


def test_maps_are_left_out_where_no_logit_reaches_its_bound() -> None:
    contract = load_contract(shipped_weights() / DEFAULT_MODEL)
    classifier = Classifier(contract, shipped_weights())
    size, count = contract.preprocessing.size, len(contract.ids)
    pixels = np.random.default_rng(0).integers(0, 256, (1, size, size, 3)).astype(np.uint8)
    whole = classifier.run(pixels)
    spared = classifier.run(pixels, whole.logits[0] + np.float32(0.1))
    assert whole.maps.shape[:2] == (1, count) and spared.maps.shape == (0, count, 0, 0)
    np.testing.assert_array_equal(spared.logits, whole.logits)
    np.testing.assert_array_equal(classifier.run(pixels, whole.logits[0]).maps, whole.maps)


def test_a_network_that_always_works_out_its_map_is_asked_for_nothing_else() -> None:
    contract = load_contract(shipped_weights() / "faunalens-1.json")
    size, count = contract.preprocessing.size, len(contract.ids)
    pixels = np.zeros((1, size, size, 3), np.uint8)
    found = Classifier(contract, shipped_weights()).run(pixels, np.full(count, np.inf, np.float32))
    assert found.maps.shape[:2] == (1, count)


@pytest.mark.parametrize(
    ("outputs", "why"),
    [
        ({"logits": 14, "map": 14}, r"lacks the outputs \['embedding'\]"),
        ({"logits": 13, "map": 14, "embedding": 8}, "has 13 outputs, its contract lists 14"),
        ({"logits": 14, "map": 13, "embedding": 8}, "its contract lists 14"),
    ],
)
def test_outputs_that_are_not_those_of_the_contract_stop_the_start(
    outputs: dict[str, int], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = load_contract(shipped_weights() / DEFAULT_MODEL)
    network = SimpleNamespace(
        get_inputs=lambda: [SimpleNamespace(shape=["n", contract.preprocessing.size, contract.preprocessing.size, 3])],
        get_outputs=lambda: [SimpleNamespace(name=name, shape=["n", count]) for name, count in outputs.items()],
    )
    monkeypatch.setattr("service.classifier.session", lambda *_: network)
    with pytest.raises(StartError, match=why):
        Classifier(contract, shipped_weights())


@pytest.fixture
def weights() -> Iterator[Path]:
    """A copy of the shipped weights in a folder that everybody may enter; the test runs as nobody where it was root."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        copies = [Path(shutil.copy(file, folder)) for file in shipped_weights().glob("faunalens-2-int8.*")]
        for copy in copies:
            copy.chmod(0o644)
        was = os.geteuid()
        yield Path(folder)
        os.seteuid(was)


@pytest.mark.parametrize("suffix", [".json", ".onnx"])
def test_files_without_read_permission_stop_the_start_and_say_so(weights: Path, suffix: str) -> None:
    (weights / f"faunalens-2-int8{suffix}").chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65_534)
    with pytest.raises(StartError, match=f"faunalens-2-int8{suffix} cannot be read: Permission denied"):
        Detector(Settings(model=weights / DEFAULT_MODEL))
