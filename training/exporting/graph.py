"""A torch network as an ONNX file."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.exporting.padding import with_fixed_padding


def write_graph(network: nn.Module, pixels: Tensor, path: Path, **options: Any) -> None:
    """Write ``network`` to ``path``, with the pads that ``pixels`` need; ``options``: further ones of the exporter.

    That is torch's TorchScript exporter: the newer one needs onnxscript, and our networks have no dynamic control flow.
    """
    plain = with_fixed_padding(network.eval().to(memory_format=torch.contiguous_format), pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            plain, (pixels,), str(path), dynamo=False, opset_version=18, input_names=["pixels"], **options
        )
