"""Pictures that are no files of their own, because they lie in an archive or an object store."""

from dataclasses import dataclass

from service.errors import ErrorCode, FaunalensError
from service.imaging import ENDINGS


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture: its bytes, cut one byte above the limit, or why it cannot be read."""

    file: str
    data: bytes | FaunalensError


def is_picture(name: str) -> bool:
    """Whether a name inside an archive or below a prefix ends like a picture's, and no part of it is hidden."""
    return not is_hidden(name) and name.lower().endswith(ENDINGS)


def is_hidden(name: str) -> bool:
    """Whether a name, or a folder in it, is hidden or one that systems add."""
    return any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in name.split("/"))


def unreadable(error: Exception) -> FaunalensError:
    """Why an entry cannot be read."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return FaunalensError(ErrorCode.UNREADABLE_FILE, "The file cannot be read.", {"reason": reason})
