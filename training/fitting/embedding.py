"""Mean features of many photos through onnxruntime, as the service will compute them: several times torch's speed on a
CPU."""

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from tqdm import tqdm

from service.runtime.cores import available_cores
from training.exporting.graph import write_graph
from training.fitting.kernel import window_means
from training.fitting.network import Network


class Pictures(Protocol):
    """Pixels uint8 ``[S, S, 3]`` and targets of pictures, by position."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]: ...


class _Means(nn.Module):
    def __init__(self, network: Network, levels: Sequence[str], windows: slice) -> None:
        super().__init__()
        self.network, self.levels, self.windows = network, tuple(levels), windows

    def forward(self, pixels: Tensor) -> Tensor:
        found = self.network.levels(pixels, self.levels)
        return window_means([found[name] for name in self.levels])[:, self.windows]


def embed(network: Network, levels: Sequence[str], pictures: Pictures, windows: slice) -> tuple[Tensor, Tensor]:
    """Means of the trunk's ``levels`` side by side over ``windows``, ``[N, W, D]``, and the targets, float64.

    Raises AttributeError for a level that the trunk does not have.
    """
    size = pictures[0][0].shape[0]
    with tempfile.TemporaryDirectory() as folder:
        session = _session(_Means(network, levels, windows), size, Path(folder) / "means.onnx")

    def one(position: int) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], Tensor]:
        pixels, wanted = pictures[position]
        return session.run(None, {"pixels": pixels[None].numpy()})[0][0], wanted

    with ThreadPoolExecutor(available_cores()) as pool:
        rows = list(tqdm(pool.map(one, range(len(pictures))), "embedding", len(pictures), unit="photo", mininterval=5))
    means, targets = zip(*rows, strict=True)
    return torch.from_numpy(np.stack(means)).double(), torch.stack(targets).double()


def _session(means: _Means, size: int, path: Path) -> onnxruntime.InferenceSession:
    pixels = torch.zeros(1, size, size, 3, dtype=torch.uint8)
    write_graph(means, pixels, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
