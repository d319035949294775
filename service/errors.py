"""Every error a client can meet: one code, one HTTP status, one shape.

``docs/errors.md`` documents each code; a test fails when one is missing there.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any


class ErrorCode(Enum):
    """Machine-readable error codes; the value is ``(code, HTTP status)``."""

    EMPTY_IMAGE = ("empty_image", 422)
    UNSUPPORTED_FORMAT = ("unsupported_format", 415)
    CORRUPT_IMAGE = ("corrupt_image", 422)
    TRUNCATED_IMAGE = ("truncated_image", 422)
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
    INVALID_PARAMETER = ("invalid_parameter", 422)
    NOT_FOUND = ("not_found", 404)
    METHOD_NOT_ALLOWED = ("method_not_allowed", 405)
    NOT_READY = ("not_ready", 503)
    OVERLOADED = ("overloaded", 503)
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
    """An error with a code, a message fit for the public, and details (JSON-serialisable)."""

    def __init__(self, code: ErrorCode, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = dict(details or {})

    def to_dict(self, request_id: str | None = None) -> dict[str, Any]:
        """The body of ``{"error": ...}``, the only error shape there is."""
        return {
            "code": self.code.code,
            "message": self.message,
            "request_id": request_id,
            "details": self.details,
        }


class StartError(RuntimeError):
    """The service must not start: wrong weights, wrong settings, failed self-test. The message says what to do."""
