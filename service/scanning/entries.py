"""Pictures that are no files of their own, because they lie in an archive or an object store."""

import posixpath
from collections import Counter
from dataclasses import dataclass

from service.errors import ErrorCode, FaunalensError
from service.imaging import ENDINGS
from service.sanitise import encodable, visible


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture: its bytes, cut one byte above the limit, or why it cannot be read."""

    file: str
    data: bytes | FaunalensError


class LeftOut:
    """Counts what a run does not look at, by the reason, so that it can say so."""

    _MOST_TOLD, _MOST_KEPT, _LONGEST = 8, 100, 12

    def __init__(self) -> None:
        self._counts = Counter[str]()

    def add(self, reason: str) -> None:
        """Count one."""
        known = reason in self._counts or len(self._counts) < self._MOST_KEPT
        self._counts[reason if known else "others"] += 1

    def takes(self, name: str) -> bool:
        """Whether a name ends like a picture's, and no part of it is hidden; counted if not."""
        if is_hidden(name):
            self.add("hidden")
        elif not name.lower().endswith(ENDINGS):
            self.add(posixpath.splitext(name)[1].lower()[: self._LONGEST] or "without an ending")
        else:
            return True
        return False

    def __str__(self) -> str:
        """What was left out, in words; empty when nothing was."""
        told = self._counts.most_common(self._MOST_TOLD)
        parts = [f"{count} {visible(encodable(reason))}" for reason, count in told]
        if rest := self._counts.total() - sum(count for _, count in told):
            parts.append(f"{rest} of other kinds")
        return f"{self._counts.total()} left out: {', '.join(parts)}" if parts else ""


def is_hidden(name: str) -> bool:
    """Whether a name, or a folder in it, is hidden or one that systems add."""
    return any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in name.split("/"))


def unreadable(error: Exception) -> FaunalensError:
    """Why an entry cannot be read."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return FaunalensError(ErrorCode.UNREADABLE_FILE, "The file cannot be read.", {"reason": reason})
