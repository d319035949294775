"""A second model for tests: the shipped network with other bytes and another calibration, so other scores."""

import json
import math
from pathlib import Path

from service.contract import file_sha256
from service.detector import DEFAULT_MODEL, shipped_weights

# A field that no reader of ONNX knows (number 15000, length-delimited, one byte): other bytes, same network.
UNKNOWN_FIELD = b"\xc2\xa9\x07\x01x"


def second_model(folder: Path, name: str = "second", shift: float = 1.0) -> Path:
    """Write ``name``.json, .onnx and .png into ``folder``; the logits are ``shift`` higher. Returns the contract."""
    weights = shipped_weights()
    contract = json.loads((weights / DEFAULT_MODEL).read_text())
    network = folder / f"{name}.onnx"
    network.write_bytes((weights / contract["file"]).read_bytes() + UNKNOWN_FIELD)
    picture = folder / f"{name}.png"
    picture.write_bytes((weights / contract["selftest"]["file"]).read_bytes())
    for category in contract["categories"]:
        category["calibration"]["bias"] += shift
    expected = contract["selftest"]["probabilities"]
    contract["selftest"]["probabilities"] = {key: _shifted(value, shift) for key, value in expected.items()}
    contract["selftest"]["file"] = picture.name
    contract |= {"name": name, "file": network.name, "sha256": file_sha256(network)}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(contract))
    return path


def _shifted(probability: float, shift: float) -> float:
    return 1 / (1 + math.exp(-(math.log(probability / (1 - probability)) + shift)))
