"""The network, run by onnxruntime: pixels in, calibrated probabilities, activation maps and embeddings out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from service.contract import Contract, file_sha256
from service.errors import StartError


@dataclass(frozen=True, slots=True)
class Scores:
    """What the network says of ``N`` pictures; ``C`` categories in contract order, ``h`` x ``w`` map cells."""

    logits: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    maps: NDArray[np.float32]
    embeddings: NDArray[np.float32]


class Classifier:
    """One onnxruntime session. :meth:`run` may be called from many threads; each call uses one core."""

    def __init__(self, contract: Contract, folder: Path) -> None:
        """Open ``folder / contract.file``; raises :class:`StartError` when it is not the file of the contract."""
        self.contract = contract
        path = folder / contract.file
        if not path.is_file():
            raise StartError(f"the weights {path} are missing")
        if file_sha256(path) != contract.sha256:
            raise StartError(f"the SHA-256 of {path} is not the one in its contract: the file is damaged or exchanged")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._check_outputs()

    def run(self, pixels: NDArray[np.uint8]) -> Scores:
        """Score ``pixels`` uint8 ``[N, size, size, 3]``."""
        logits, maps, embeddings = self._session.run(["logits", "map", "embedding"], {"pixels": pixels})
        return Scores(logits, self.contract.probabilities(logits), maps, embeddings)

    def _check_outputs(self) -> None:
        shapes = {output.name: output.shape for output in self._session.get_outputs()}
        missing = {"logits", "map", "embedding"} - set(shapes)
        if missing:
            raise StartError(f"{self.contract.file} lacks the outputs {sorted(missing)}")
        count = len(self.contract.categories)
        if shapes["logits"][1] != count or shapes["map"][1] != count:
            raise StartError(
                f"{self.contract.file} has {shapes['logits'][1]} outputs, its contract lists {count} categories"
            )
