"""The bulk run: files in, one record a file out, in order, in constant memory, on all cores."""

import contextlib
import fcntl
import json
import logging
import os
import sys
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, get_args

from service.answer import FileAnswer, FileFailure
from service.detector import Detector
from service.errors import ErrorCode, FaunalensError, StartError
from service.policy import Policy, Verdict
from service.sanitise import encodable
from service.scanning.entries import Entry, LeftOut, is_hidden, unreadable
from service.scanning.records import Record

log = logging.getLogger("faunalens")
FINDINGS_EXIT, FAILURES_EXIT = 4, 8
_AHEAD = 4


@dataclass
class Tally:
    """Counts of a run."""

    clear: int = 0
    review: int = 0
    priority: int = 0
    failures: int = 0

    def add(self, record: Record) -> None:
        """Count one record."""
        self.count(record.verdict if isinstance(record, FileAnswer) else None)

    def count(self, verdict: Verdict | None) -> None:
        """Count a file by its verdict; None: it failed."""
        name = verdict or "failures"
        setattr(self, name, getattr(self, name) + 1)

    @property
    def exit_code(self) -> int:
        """0: nothing found, nothing failed; 4: findings; 8: failures; 12: both."""
        return FINDINGS_EXIT * bool(self.review + self.priority) + FAILURES_EXIT * bool(self.failures)


def find_files(paths: Iterable[str], left_out: LeftOut) -> Iterator[str]:
    """Files as given; folders walked in name order for image endings of any case, hidden entries skipped.

    What is skipped is counted in ``left_out``.
    """
    for path in paths:
        if os.path.isdir(path):
            yield from _walk(path, left_out)
        else:
            yield path


def _walk(top: str, left_out: LeftOut) -> Iterator[str]:
    """Not by calling itself: folders may lie deeper in each other than Python lets functions."""
    levels = [("", [(top, True)])]
    while levels:
        folder, waiting = levels[-1]
        if not waiting:
            levels.pop()
            continue
        name, is_folder = waiting.pop()
        path = os.path.join(folder, name)
        if not is_folder:
            yield path
            continue
        try:
            levels.append((path, _inside(path, left_out)))
        except OSError:
            yield path


def _inside(folder: str, left_out: LeftOut) -> list[tuple[str, bool]]:
    """Names of the pictures and folders in ``folder``, the last one first; true: a folder."""
    wanted = []
    with os.scandir(folder) as found:
        for entry in found:
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and not is_hidden(entry.name):
                wanted.append((entry.name, True))
            elif not is_folder and not _opens(entry):
                left_out.add("linked folders" if entry.is_dir() else "pipes and devices")
            elif left_out.takes(entry.name):
                wanted.append((entry.name, False))
    return sorted(wanted, reverse=True)


def _opens(entry: "os.DirEntry[str]") -> bool:
    """No folder, and no pipe, socket or device, at which reading may wait without end. A broken link is a failure."""
    return entry.is_file(follow_symlinks=False) or os.path.isfile(entry.path) or not os.path.exists(entry.path)


def judge_file(detector: Detector, policy: Policy, item: str | Entry, run_id: str, tolerate_truncated: bool) -> Record:
    """One file, or one entry of an archive, to one record; whatever is wrong with it becomes a failure."""
    name = encodable(item if isinstance(item, str) else item.file)
    try:
        data = _read(item, detector.settings.max_bytes) if isinstance(item, str) else item.data
        if isinstance(data, FaunalensError):
            raise data
        answer = detector.answer(data, run_id, policy, tolerate_truncated=tolerate_truncated)
    except FaunalensError as error:
        return FileFailure.of(name, error, run_id)
    except Exception as error:
        # it would end every run that resumes this one, too
        log.error("unexpected %s at a file; its record says internal_error", type(error).__name__, exc_info=error)
        unexpected = FaunalensError(ErrorCode.INTERNAL_ERROR, "Something went wrong here; it was logged.")
        return FileFailure.of(name, unexpected, run_id)
    return FileAnswer.of(name, answer)


def _read(path: str, max_bytes: int) -> bytes:
    try:
        with open(path, "rb") as stream:
            data = stream.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise unreadable(error) from error
    return data


def scan(
    detector: Detector,
    policy: Policy,
    files: Iterable[str | Entry],
    threads: int,
    tolerate_truncated: bool = False,
) -> Iterator[Record]:
    """Judge ``files`` on ``threads`` threads; records come in the order of the files, few are held at a time.

    ``tolerate_truncated``: files that break off are judged as far as they go, and their records say so.
    """
    run_id = uuid.uuid4().hex
    waiting: deque[Future[Record]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="scan") as pool:
        try:
            for item in files:
                waiting.append(pool.submit(judge_file, detector, policy, item, run_id, tolerate_truncated))
                if len(waiting) >= threads * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@contextlib.contextmanager
def alone(output: Path | None) -> Iterator[None]:
    """Keep the file of the records for this process; raises :class:`StartError` while another scan writes to it."""
    if output is None or (output.exists() and not output.is_file()):
        yield
        return
    try:
        stream = output.open("ab")
    except OSError as error:
        raise StartError(f"{output} cannot be written: {error.strerror}") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartError(f"another scan writes to {output}") from error
        except OSError:
            log.warning("%s is on a file system without locks: let no second scan write to it", output)
        yield


def resume(output: Path, tally: Tally) -> Counter[int]:
    """How often each file, by the hash of its name, is recorded in ``output`` (JSON lines); ``tally`` counts them.

    A torn last line is cut off. Raises :class:`StartError` for a file with anything else in it, and leaves that alone.
    """
    done = Counter[int]()
    if not output.exists():
        return done
    if not output.is_file():
        raise StartError(f"{output} cannot be resumed: it is not a file")
    with _opened(output) as stream:
        keep = 0
        for number, line in enumerate(stream, 1):
            record = _recorded(line)
            if record is None and (line.endswith(b"\n") or not line.startswith(b"{")):
                raise StartError(f"{output} cannot be resumed: line {number} is no record; nothing was changed")
            if record is None:
                break
            file, verdict = record
            done[hash(file)] += 1
            tally.count(verdict)
            keep += len(line)
        stream.truncate(keep)
    return done


def unrecorded(done: Counter[int]) -> Callable[[str], bool]:
    """Says of a file, by its name, whether it is still to be judged.

    Entries of an archive may have equal names: as many of these are left out as were recorded.
    """

    def wanted(file: str) -> bool:
        known = hash(encodable(file))
        if not done[known]:
            return True
        done[known] -= 1
        return False

    return wanted


def _opened(output: Path) -> BinaryIO:
    try:
        return output.open("rb+")
    except OSError as error:
        raise StartError(f"{output} cannot be resumed: {error.strerror}") from error


def _recorded(line: bytes) -> tuple[str, Verdict | None] | None:
    """File and verdict of a complete record, or None for a torn or foreign line."""
    try:
        record = json.loads(line)
        file, verdict = record["file"], record.get("verdict")
    except (ValueError, KeyError, TypeError):
        return None
    known = verdict is None or verdict in get_args(Verdict)
    return (file, verdict) if line.endswith(b"\n") and isinstance(file, str) and known else None


def lines_of_stdin() -> Iterator[str]:
    """Paths from standard input, one a line, in whatever bytes the file system has."""
    return (os.fsdecode(line.rstrip(b"\r\n")) for line in sys.stdin.buffer if line.strip())
