"""The network, run by onnxruntime: pixels in, calibrated probabilities, activation maps and embeddings out."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from service.contract import Contract
from service.errors import StartError
from service.runtime.providers import BATCH, batches, session
from service.runtime.together import Outputs, Together
from service.settings import Provider

_OUTPUTS = ("logits", "map", "embedding")
MAP_FROM = "map_from"
"""The input of a network that leaves out its map; see ``training/exporting/optional_map.py``."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What the network says of ``N`` pictures; ``C`` categories in contract order, ``h`` x ``w`` map cells.

    ``maps``: ``[N, C, h, w]``, or ``[0, C, 0, 0]`` where nobody wanted them.
    """

    logits: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    maps: NDArray[np.float32]
    embeddings: NDArray[np.float32]


class Classifier:
    """One onnxruntime session. :meth:`run` may be called from many threads.

    Each call uses one core. On a GPU, calls are made together, see :mod:`service.runtime.together`.
    """

    def __init__(self, contract: Contract, folder: Path, providers: Sequence[Provider] = ("cpu",)) -> None:
        """Open ``folder / contract.file``; raises :class:`StartError` when it is not the file of the contract.

        ``providers``: where it runs, the preferred one first; raises :class:`StartError` when one can't be used.
        """
        self.contract = contract
        data = _read_checked(folder / contract.file, contract.sha256)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # otherwise a network loaded from memory reads weights from files that it names in the working directory
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
        try:
            self._session = session(data, options, providers, contract.preprocessing.size)
        except StartError:
            raise
        except Exception as error:
            raise StartError(f"onnxruntime cannot use {contract.file}: {error}") from error
        self._check_shapes()
        # some networks take one picture at a time
        together = batches(providers) and self._session.get_inputs()[0].shape[0] != 1
        # not a method: a model that refers to itself stays in memory after a reload, until a full garbage collection
        call = partial(_call, self._session)
        self._infer = Together(call, BATCH) if together else call
        optional = {given.name for given in self._session.get_overridable_initializers()}
        self._may_leave_out_maps = MAP_FROM in optional and not together

    def run(self, pixels: NDArray[np.uint8], map_from: NDArray[np.float32] | None = None) -> Scores:
        """Score ``pixels`` uint8 ``[N, size, size, 3]``.

        ``map_from``: logits float32 ``[C]``; maps are only wanted where a picture reaches one. They are there anyway
        with None, on a GPU, and by a network that always works them out.
        """
        if map_from is None or not self._may_leave_out_maps:
            logits, maps, embeddings = self._infer(pixels)
        else:
            logits, maps, embeddings = self._session.run(_OUTPUTS, {"pixels": pixels, MAP_FROM: map_from})
        return Scores(logits, self.contract.probabilities(logits), maps, embeddings)

    def _check_shapes(self) -> None:
        shapes = {output.name: output.shape for output in self._session.get_outputs()}
        missing = set(_OUTPUTS) - set(shapes)
        if missing:
            raise StartError(f"{self.contract.file} lacks the outputs {sorted(missing)}")
        size = self.contract.preprocessing.size
        sides = self._session.get_inputs()[0].shape[1:3]
        if any(isinstance(side, int) and side != size for side in sides):
            raise StartError(f"{self.contract.file} takes pictures of {sides} pixels, its contract says {size}")
        count = len(self.contract.categories)
        if shapes["logits"][1] != count or shapes["map"][1] != count:
            raise StartError(
                f"{self.contract.file} has {shapes['logits'][1]} outputs, its contract lists {count} categories"
            )


def _call(session: onnxruntime.InferenceSession, pixels: NDArray[np.uint8]) -> Outputs:
    outputs: Outputs = session.run(_OUTPUTS, {"pixels": pixels})
    return outputs


def _read_checked(path: Path, sha256: str) -> bytes:
    """The weights, read once: what was checked is what runs, whatever becomes of the file meanwhile or later."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise StartError(f"the weights {path} are missing") from error
    except OSError as error:
        raise StartError(f"the weights {path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StartError(f"the SHA-256 of {path} is not the one in its contract: the file is damaged or exchanged")
    return data
