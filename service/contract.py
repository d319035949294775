"""The contract that travels with the weights: ``weights/<name>.json``.

It holds everything needed to turn bytes into calibrated probabilities: input size and resize rule, categories in the
order of the outputs, calibration, thresholds chosen on ``val``, the SHA-256 of the ONNX file and a self-test.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import StartError, problems

Maturity = Literal["core", "experimental"]
OperatingPoint = Literal["sensitive", "review", "priority"]
# more than six significant digits can change of a probability, and single precision of a logit
_ROUNDING = 1e-5


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Preprocessing(_Frozen):
    """How pixels reach the network: RGB, uint8, NHWC, stretched to ``size`` x ``size``; normalised inside the graph."""

    size: int = Field(ge=32, le=1024, description="side of the square input, pixels")
    resize: Literal["stretch"] = "stretch"
    filter: Literal["bilinear"] = "bilinear"
    scaled_decoding: bool = Field(True, description="JPEG is decoded at the smallest DCT scale not under `size`")
    reducing_gap: float = Field(2.0, ge=1.0, description="Pillow's two-step resizing, see Image.resize")
    mean: tuple[float, float, float] = Field(description="subtracted from RGB / 255, inside the graph")
    std: tuple[float, float, float] = Field(description="divides RGB / 255 - mean, inside the graph")


class Calibration(_Frozen):
    """``probability = sigmoid(logit / temperature + bias)`` (Platt scaling; Guo et al. 2017 for the temperature)."""

    temperature: float = Field(gt=0)
    bias: float
    fitted_on: str = Field(description="what it was fitted on, with the number of positives")


class Category(_Frozen):
    """One output of the network."""

    id: str
    maturity: Maturity
    calibration: Calibration
    thresholds: dict[str, float] = Field(description="calibrated probability by operating point, chosen on val")
    support: dict[str, int] = Field(description="photos of the category by split")


class SelfTest(_Frozen):
    """A built-in picture and the probabilities that this network gave it when it was exported."""

    file: str
    probabilities: dict[str, float]
    tolerance: float = 2e-3


class Contract(_Frozen):
    """The whole of ``weights/<name>.json``."""

    name: str
    created: str
    file: str
    sha256: str
    preprocessing: Preprocessing
    categories: tuple[Category, ...]
    selftest: SelfTest
    val_prevalence: dict[str, float] = Field(description="share of each category among the photos calibrated on")
    training: dict[str, Any] = Field(description="summary of the training data and recipe")

    @property
    def ids(self) -> tuple[str, ...]:
        """Category ids in output order."""
        return tuple(category.id for category in self.categories)

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrate ``logits`` float32 ``[N, C]`` to probabilities float64 ``[N, C]``."""
        temperature, bias = self._calibration()
        values: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-(logits.astype(np.float64) / temperature + bias)))
        return values

    def least_logits(self, thresholds: Mapping[str, float]) -> NDArray[np.float32]:
        """Logits float32 ``[C]`` that a picture reaches wherever its rounded probabilities reach ``thresholds``.

        A category without threshold is never reached.
        """
        wanted = np.array([thresholds.get(name, np.inf) for name in self.ids])
        least = np.clip(wanted * (1 - _ROUNDING), 0, 1)
        temperature, bias = self._calibration()
        with np.errstate(divide="ignore"):
            logits = (np.log(least) - np.log1p(-least) - bias) * temperature
        lower: NDArray[np.float32] = np.nextafter(logits.astype(np.float32), np.float32(-np.inf))
        return lower

    def _calibration(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Temperature and bias of each category, ``[C]`` each."""
        fitted = [category.calibration for category in self.categories]
        return np.array([one.temperature for one in fitted]), np.array([one.bias for one in fitted])


def load_contract(path: Path) -> Contract:
    """Read and check a contract. Raises :class:`StartError` with the reason."""
    try:
        return Contract.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise StartError(f"no model contract at {path}, where a weights/<name>.json must be") from error
    except OSError as error:
        raise StartError(f"the model contract {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise StartError(f"the model contract {path} is not valid: {problems(error)}") from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
