"""The shapes of the answers: what the endpoint returns, what ``scan`` prints, what the API page shows."""

import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from service.catalog import Listing
from service.contract import Maturity
from service.errors import FaunalensError
from service.policy import Verdict


def significant(probability: float) -> float:
    """Six significant digits: short to read, and the ranking of photos survives."""
    return float(f"{probability:.6g}")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class ModelName(_Answer):
    """The network that answered."""

    name: str
    sha256: str = Field(description="SHA-256 of the ONNX file")


class PolicyName(_Answer):
    """The policy that judged."""

    name: str
    version: str
    sha256: str = Field(description="SHA-256 of its name, version and thresholds, see docs/policies.md")


class ImageInfo(_Answer):
    """The picture as received. Width and height in pixels, after orientation."""

    sha256: str = Field(description="SHA-256 of the received bytes")
    format: str
    width: int
    height: int
    frames: int = Field(description="Frames in the file; the first one is judged")
    orientation: int = Field(description="EXIF orientation (1 to 8) that was applied")
    truncated: bool | None = Field(
        None,
        description="true: the file breaks off; judged as far as it goes (`scan --tolerate-truncated`)",
    )


class Box(_Answer):
    """Rectangle in pixels of the upright picture, from the activation map: where the evidence is, roughly."""

    left: int
    top: int
    right: int
    bottom: int


class Finding(_Answer):
    """A category whose calibrated probability reaches the policy's threshold."""

    category: str
    name: str = Field(description="Plain English name; other languages at /v1/categories")
    maturity: Maturity
    probability: float = Field(description="Calibrated probability, 0 to 1")
    threshold: float = Field(description="The threshold it reached")
    verdict: Verdict
    box: Box
    cites: tuple[Listing, ...] = Field(description="CITES listing by taxon: information, not a statement on the item")
    notice_key: str = Field(description="Key of the notice for the uploader, see /v1/categories")


Milliseconds = Annotated[float, PlainSerializer(lambda value: round(value, 2))]


class Answer(_Answer):
    """What the service says of one picture. A verdict asks a person to look; it is never an automatic removal."""

    request_id: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    scores: dict[str, float] = Field(description="Calibrated probability of every category")
    image: ImageInfo
    model: ModelName
    policy: PolicyName
    judged_at: datetime.datetime = Field(description="UTC")
    timing_ms: dict[str, Milliseconds] = Field(description="decode, infer and total, milliseconds")
    cached: bool | None = Field(
        None, description="true: the same picture was sent a moment ago; its scores are from then, its verdict is new"
    )
    heatmap_png: str | None = Field(None, description="Base64 of a PNG overlay, when asked for")


class FileAnswer(Answer):
    """An answer for one file of several."""

    file: str = Field(description="The file's name as given")

    @classmethod
    def of(cls, file: str, answer: Answer) -> "FileAnswer":
        """``answer`` with the name of its file."""
        return cls(file=file, **dict(answer))


class ErrorInfo(_Answer):
    """The one error shape."""

    code: str
    message: str
    request_id: str | None
    details: dict[str, Any]


class ErrorAnswer(_Answer):
    """Body of every error response."""

    error: ErrorInfo


class FileFailure(ErrorAnswer):
    """A file of several that could not be judged."""

    file: str

    @classmethod
    def of(cls, file: str, error: FaunalensError, request_id: str) -> "FileFailure":
        """``error`` with the name of its file."""
        return cls(file=file, error=ErrorInfo(**error.to_dict(request_id)))


class Answers(_Answer):
    """Answers to a multipart request: a bad file never spoils the others."""

    request_id: str
    results: tuple[FileAnswer, ...]
    failures: tuple[FileFailure, ...]
