"""What every peer does with a photo: the shipped network and the shipped decoder settings, without the service's code.

Needs numpy, onnxruntime and Pillow only. ``PEER_CONTRACT``: path of the contract, ``weights/<name>.json``.
"""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

CORES = len(os.sched_getaffinity(0))
PORT = int(os.environ.get("PEER_PORT", "8800"))
TUNED = os.environ.get("PEER_TUNED") == "1"
CONTRACT_PATH = Path(os.environ.get("PEER_CONTRACT", ""))


class Recipe:
    """Decoding, the network and its calibration. ``threads``: of one call of the network; 0: onnxruntime's default."""

    def __init__(self, threads: int) -> None:
        self.contract: dict[str, Any] = json.loads(CONTRACT_PATH.read_text(encoding="utf-8"))
        rule = self.contract["preprocessing"]
        self.size, self.gap, self.scaled = rule["size"], rule["reducing_gap"], rule["scaled_decoding"]
        calibrations = [category["calibration"] for category in self.contract["categories"]]
        self.ids = [category["id"] for category in self.contract["categories"]]
        self.temperature = np.array([calibration["temperature"] for calibration in calibrations])
        self.bias = np.array([calibration["bias"] for calibration in calibrations])
        reviews = np.array([category["thresholds"]["review"] for category in self.contract["categories"]])
        self.map_from = ((np.log(reviews / (1 - reviews)) - self.bias) * self.temperature).astype(np.float32)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        path = CONTRACT_PATH.parent / self.contract["file"]
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def pixels(self, data: bytes) -> np.ndarray:
        """Bytes to uint8 ``[size, size, 3]`` by the contract's rule, scaled decoding included."""
        with Image.open(io.BytesIO(data)) as image:
            if self.scaled:
                image.draft(None, (self.size, self.size))
            rgb = image.convert("RGB")
        return np.asarray(rgb.resize((self.size, self.size), Image.Resampling.BILINEAR, reducing_gap=self.gap))

    def scores(self, pixels: np.ndarray) -> dict[str, float]:
        """Calibrated probabilities; the map is worked out where the service needs it for boxes."""
        logits, _map = self.session.run(["logits", "map"], {"pixels": pixels[None], "map_from": self.map_from})
        return self.calibrated(logits[0])

    def calibrated(self, logits: np.ndarray) -> dict[str, float]:
        """Probabilities by category."""
        values = 1.0 / (1.0 + np.exp(-(logits / self.temperature + self.bias)))
        return dict(zip(self.ids, map(float, values), strict=True))
