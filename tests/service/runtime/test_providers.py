import os
import subprocess

import numpy as np
import onnxruntime
import pytest

from service.classifier import Classifier
from service.contract import load_contract
from service.detector import PLAIN_MODEL, shipped_weights
from service.errors import StartError
from service.runtime.cores import available_cores
from service.runtime.providers import BATCH, batches, pictures_at_once
from service.settings import load_settings
from tests.conftest import ROOT, SAMPLES
from tests.process import COMMAND

WEIGHTS = shipped_weights()
CONTRACT = load_contract(WEIGHTS / PLAIN_MODEL)
MISSING = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}


def test_names_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().providers == ("cpu",)
    monkeypatch.setenv("FAUNALENS_PROVIDERS", "tensorrt, CUDA")
    assert load_settings().providers == ("tensorrt", "cuda")
    for wrong in ("fast", ",", "cuda,fast"):
        monkeypatch.setenv("FAUNALENS_PROVIDERS", wrong)
        with pytest.raises(StartError, match="providers"):
            load_settings()


@pytest.mark.parametrize("provider", MISSING)
def test_a_provider_that_is_not_installed_stops_the_start(provider: str) -> None:
    if MISSING[provider] in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has it")
    command = [*COMMAND, "scan", str(SAMPLES / "tusks.jpg")]
    environment = {**os.environ, "FAUNALENS_PROVIDERS": f"{provider},cpu"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3 and done.stdout == ""
    assert f"FAUNALENS_PROVIDERS names {provider}, which this onnxruntime lacks (it has cpu" in done.stderr
    assert "onnxruntime-gpu" in done.stderr


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_cannot_be_used_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime itself would warn and go on with the CPU, as it does where a driver is missing."""
    if MISSING["cuda"] in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has it")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(MISSING.values()))
    with pytest.raises(StartError, match="names cuda, which onnxruntime cannot use here"):
        Classifier(CONTRACT, WEIGHTS, ("cuda",))


@pytest.mark.skipif(
    "OpenVINOExecutionProvider" not in onnxruntime.get_available_providers(), reason="needs onnxruntime-openvino"
)
def test_openvino_gives_the_same_scores() -> None:
    size = CONTRACT.preprocessing.size
    pixels = np.random.default_rng(0).integers(0, 256, (1, size, size, 3)).astype(np.uint8)
    found = [Classifier(CONTRACT, WEIGHTS, (name,)).run(pixels).probabilities for name in ("cpu", "openvino")]
    np.testing.assert_allclose(*found, atol=1e-4)


def test_only_a_gpu_takes_batches() -> None:
    assert not batches(("cpu",)) and not batches(("openvino", "cpu"))
    assert batches(("cuda",)) and batches(("tensorrt", "cuda"))
    assert pictures_at_once(("cpu",), 0) == available_cores()
    assert pictures_at_once(("cuda",), 0) == available_cores() + BATCH
    assert pictures_at_once(("cuda",), 3) == 3
