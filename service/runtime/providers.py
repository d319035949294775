"""Where onnxruntime runs the network: its execution providers, and how each is set up.

Options are those of onnxruntime's documentation, "Execution Providers". Single precision everywhere, so that scores are
those of the self-test.
"""

import json
from collections.abc import Sequence
from typing import Any

import onnxruntime

from service.errors import StartError
from service.runtime.cores import available_cores
from service.settings import Provider

# pictures that a GPU takes at once
BATCH = 32
_ONNXRUNTIME: dict[Provider, str] = {
    "cpu": "CPUExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
_PACKAGES: dict[Provider, str] = {
    "openvino": "onnxruntime-openvino", "cuda": "onnxruntime-gpu", "tensorrt": "onnxruntime-gpu and TensorRT"
}  # fmt: skip
_GPU = frozenset({"cuda", "tensorrt"})


def batches(providers: Sequence[Provider]) -> bool:
    """Whether several pictures at once are faster than one after another: on a GPU."""
    return not _GPU.isdisjoint(providers)


def pictures_at_once(providers: Sequence[Provider], threads: int) -> int:
    """How many threads take pictures; ``threads``: as set, 0: not set.

    One per core; beside a GPU a batch more, which wait for it while the cores decode.
    """
    return threads or available_cores() + BATCH * batches(providers)


def session(
    network: bytes, options: onnxruntime.SessionOptions, providers: Sequence[Provider], size: int
) -> onnxruntime.InferenceSession:
    """Open ``network``, whose input is ``pixels`` ``[n, size, size, 3]``.

    Raises :class:`StartError` when this onnxruntime lacks a provider, or cannot use it here: it would go on, slowly, on
    the CPU. Raises what onnxruntime raises when it cannot use the network.
    """
    available = onnxruntime.get_available_providers()
    for provider in providers:
        if _ONNXRUNTIME[provider] not in available:
            has = ", ".join(name for name, other in _ONNXRUNTIME.items() if other in available)
            raise StartError(
                f"FAUNALENS_PROVIDERS names {provider}, which this onnxruntime lacks (it has {has}): install "
                f"{_PACKAGES[provider]} in place of onnxruntime"
            )
    wanted = [(_ONNXRUNTIME[provider], _options(provider, size)) for provider in providers]
    opened = onnxruntime.InferenceSession(network, options, providers=wanted)
    used = opened.get_providers()
    for provider in providers:
        if _ONNXRUNTIME[provider] not in used:
            raise StartError(
                f"FAUNALENS_PROVIDERS names {provider}, which onnxruntime cannot use here: are its driver and its "
                "libraries installed, in the versions that this onnxruntime wants?"
            )
    # otherwise a failure on a GPU would move the network to the CPU
    opened.disable_fallback()
    return opened


def _options(provider: Provider, size: int) -> dict[str, Any]:
    if provider == "openvino":
        # a stream for each core, so that each call has one core, like those of the CPU provider
        cores = available_cores()
        plan = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": str(cores), "NUM_STREAMS": str(cores)}
        return {"device_type": "CPU", "load_config": json.dumps({"CPU": plan})}
    if provider == "cuda":
        # the exhaustive search, which is the default, would try all algorithms for each size of a batch
        return {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
    if provider == "tensorrt":
        shapes = {"min": 1, "opt": BATCH, "max": BATCH}
        return {f"trt_profile_{name}_shapes": f"pixels:{count}x{size}x{size}x3" for name, count in shapes.items()}
    return {}
