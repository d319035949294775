"""Every error a client can meet: one code, one HTTP status, one shape.

``docs/errors.md`` documents each code; a test fails when one is missing there.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError


# classes of SQLSTATE whose messages may quote values: data exceptions and violated constraints
_VALUES = ("22", "23")


class ErrorCode(Enum):
    """Machine-readable error codes; the value is ``(code, HTTP status)``."""

    EMPTY_IMAGE = ("empty_image", 422)
    UNSUPPORTED_FORMAT = ("unsupported_format", 415)
    CORRUPT_IMAGE = ("corrupt_image", 422)
    TRUNCATED_IMAGE = ("truncated_image", 422)
    DECODE_DEADLINE = ("decode_deadline", 422)
    DECODER_STOPPED = ("decoder_stopped", 422)
    REQUEST_TIMEOUT = ("request_timeout", 408)
    HEADERS_TOO_LARGE = ("headers_too_large", 431)
    TOO_MANY_BYTES = ("too_many_bytes", 413)
    TOO_MANY_PIXELS = ("too_many_pixels", 413)
    TOO_MANY_FRAMES = ("too_many_frames", 413)
    TOO_MANY_FILES = ("too_many_files", 413)
    NO_IMAGE = ("no_image", 422)
    MALFORMED_BODY = ("malformed_body", 400)
    UNSUPPORTED_CONTENT_TYPE = ("unsupported_content_type", 415)
    UNKNOWN_POLICY = ("unknown_policy", 422)
    UNKNOWN_CATEGORY = ("unknown_category", 422)
    UNKNOWN_LANGUAGE = ("unknown_language", 422)
    URL_NOT_ALLOWED = ("url_not_allowed", 422)
    URL_UNREACHABLE = ("url_unreachable", 502)
    URL_TOO_SLOW = ("url_too_slow", 504)
    INVALID_PARAMETER = ("invalid_parameter", 422)
    UNAUTHENTICATED = ("unauthenticated", 401)
    FORBIDDEN = ("forbidden", 403)
    RATE_LIMITED = ("rate_limited", 429)
    QUOTA_EXCEEDED = ("quota_exceeded", 429)
    NOT_FOUND = ("not_found", 404)
    METHOD_NOT_ALLOWED = ("method_not_allowed", 405)
    UNKNOWN_BATCH = ("unknown_batch", 404)
    BATCH_ENDED = ("batch_ended", 409)
    CORRUPT_ARCHIVE = ("corrupt_archive", 422)
    WEBHOOK_NOT_ALLOWED = ("webhook_not_allowed", 422)
    PHOTO_UNAVAILABLE = ("photo_unavailable", 410)
    UNKNOWN_ITEM = ("unknown_item", 404)
    ITEM_TAKEN = ("item_taken", 409)
    ALREADY_DECIDED = ("already_decided", 409)
    NOTHING_TO_UNDO = ("nothing_to_undo", 409)
    SECOND_OPINION_NEEDED = ("second_opinion_needed", 409)
    STORE_UNAVAILABLE = ("store_unavailable", 503)
    NOT_READY = ("not_ready", 503)
    MODEL_REJECTED = ("model_rejected", 422)
    RELOAD_RUNNING = ("reload_running", 409)
    IDEMPOTENCY_KEY_REUSED = ("idempotency_key_reused", 422)
    OVERLOADED = ("overloaded", 503)
    DEADLINE_EXCEEDED = ("deadline_exceeded", 503)
    CLIENT_GONE = ("client_gone", 499)
    UNREADABLE_FILE = ("unreadable_file", 422)
    INTERNAL_ERROR = ("internal_error", 500)

    @property
    def code(self) -> str:
        """The string sent to clients."""
        return self.value[0]

    @property
    def status(self) -> int:
        """The HTTP status sent with it."""
        return self.value[1]


class FaunalensError(Exception):
    """An error with a code, a message fit for the public, and details (JSON-serialisable).

    ``retry_after``: seconds after which a client may try again, where that is known.
    """

    def __init__(
        self, code: ErrorCode, message: str, details: Mapping[str, Any] | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = dict(details or {})
        self.retry_after = retry_after

    def to_dict(self, request_id: str | None = None) -> dict[str, Any]:
        """The body of ``{"error": ...}``, the only error shape there is."""
        return {
            "code": self.code.code,
            "message": self.message,
            "request_id": request_id,
            "details": self.details,
        }


def told(error: FaunalensError) -> str:
    """The message for the operator: with what the system or the database said of a store that cannot be used."""
    reason = error.code is ErrorCode.STORE_UNAVAILABLE and error.__cause__ and reason_of(error.__cause__)
    return f"{error.message} ({reason})" if reason else error.message


def reason_of(error: BaseException) -> str:
    """What the system or a database said, without path, statement and values.

    Of PostgreSQL the message alone, and where a value is what is wrong with a statement, the SQLSTATE alone.
    """
    cause = getattr(error, "orig", None) or error
    said = cause.args[0] if cause.args else ""
    if isinstance(said, dict):
        state = str(said.get("C", ""))
        said = f"SQLSTATE {state}" if state.startswith(_VALUES) else said.get("M")
    return str(getattr(cause, "strerror", None) or said or type(cause).__name__)


def how_to_get(extra: str) -> str:
    """The command that installs an extra; the package is on no index."""
    return f"in a checkout of Faunalens, pip install '.[{extra}]'"


class StartError(RuntimeError):
    """The service must not start: wrong weights, wrong settings, failed self-test. The message says what to do."""


def problems(error: "ValidationError") -> str:
    """What is wrong with a file or with settings, in one line: each field and its problem.

    Without a field where several do not fit together; the problem names them.
    """
    found = error.errors()
    # a list of which no item is left is said to be too short, beside what is wrong with the items
    whole = {problem["loc"][:depth] for problem in found for depth in range(1, len(problem["loc"]))}
    lines = (
        (".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, "))
        for problem in found
        if problem["loc"] not in whole
    )
    return "; ".join(f"{field}: {words}" if field else words for field, words in lines)
