"""Log lines: one JSON object a line, or text for people. ``extra={"fields": {...}}`` adds named values to a line.

Lines are written by a thread of their own: whoever logs never waits, not even when standard error is a pipe that nobody
reads. Lines that find no room, or cannot be written, are counted by :func:`dropped_lines`.
"""

import contextlib
import datetime
import json
import logging
import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from service.settings import Settings

_STANDARD_ERROR = 2
_MOST_LINES = 10_000
_LAST_SECONDS = 1.0
# how long lines gather: each time this thread wakes, it takes a core from a picture
_GATHER_SECONDS = 0.05


class _Dropped:
    """Counts lines that were lost, from any thread."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def add(self) -> None:
        with self._lock:
            self.count += 1


_dropped = _Dropped()


def dropped_lines() -> int:
    """How many lines of this process were lost."""
    return _dropped.count


@contextlib.contextmanager
def written(settings: Settings) -> Iterator[None]:
    """Write every log line of this process to standard error, by ``FAUNALENS_LOG_FORMAT`` and ``_LOG_LEVEL``.

    In the end waits a second at most for lines not yet written.
    """
    lines: queue.Queue[str] = queue.Queue(_MOST_LINES)
    handler = _Enqueue(lines)
    handler.setFormatter(JsonLine() if settings.log_format == "json" else TextLine())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    # it tells each of its own parts as it is imported
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
    threading.Thread(target=_write, args=(lines,), name="logs", daemon=True).start()
    try:
        yield
    finally:
        with lines.all_tasks_done:
            lines.all_tasks_done.wait_for(lambda: not lines.unfinished_tasks, _LAST_SECONDS)


class _Enqueue(logging.Handler):
    """Leaves lines for the thread that writes; drops them when too many wait."""

    def __init__(self, lines: "queue.Queue[str]") -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Never waits."""
        try:
            self.lines.put_nowait(self.format(record))
        except queue.Full:
            _dropped.add()
        except Exception:
            self.handleError(record)


def _write(lines: "queue.Queue[str]") -> None:
    """Write for ever. To the file descriptor: ``sys.stderr`` has a lock, held while the pipe is full at the end."""
    torn = False
    while True:
        waiting = [lines.get()]
        time.sleep(_GATHER_SECONDS)
        with contextlib.suppress(queue.Empty):
            while len(waiting) < _MOST_LINES:
                waiting.append(lines.get_nowait())
        for line in waiting:
            # a path may have bytes that are no UTF-8
            torn = _write_line(f"{line}\n".encode(errors="backslashreplace"), torn)
            lines.task_done()


def _write_line(line: bytes, torn: bool) -> bool:
    """Whether ``line`` is torn now, as on a full disk; one that follows a torn one begins on a line of its own."""
    rest = whole = b"\n" + line if torn else line
    try:
        while rest:
            rest = rest[os.write(_STANDARD_ERROR, rest) :]
    except OSError:
        _dropped.add()
    written = len(whole) - len(rest)
    return bool(rest) and (written > torn or (torn and not written))


class JsonLine(logging.Formatter):
    """``{"time", "level", "logger", "message", <fields>, "exception"}``; line breaks are escaped, so none is forged."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextLine(logging.Formatter):
    """Time, level, message, and the fields as ``name=value``."""

    def format(self, record: logging.LogRecord) -> str:
        named = "".join(f" {name}={value}" for name, value in _fields(record).items())
        line = f"{_time(record)} {record.levelname} {record.name} {record.getMessage()}{named}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _time(record: logging.LogRecord) -> str:
    return datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = getattr(record, "fields", {})
    return fields
