"""What a server and all its processes cost: CPU seconds and resident memory, read from /proc."""

import contextlib
import os
from pathlib import Path

MARK = "BENCHMARK_MARK"
_TICK = os.sysconf("SC_CLK_TCK")
_PPID, _UTIME, _STIME, _CUTIME, _CSTIME = 1, 11, 12, 13, 14


class Family:
    """The processes that carry ``mark`` in their environment, and their descendants (Ray's daemons leave the tree)."""

    def __init__(self, mark: str) -> None:
        self._mark = f"{MARK}={mark}".encode()

    def members(self) -> set[int]:
        """Process ids now."""
        parents = {pid: _stat(pid)[_PPID] for pid in _pids()}
        found = {pid for pid in parents if self._is_marked(pid)}
        while grown := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= grown
        return found

    def cpu_seconds(self) -> float:
        """User and system time of the members, and of their children that have ended."""
        total = 0
        for pid in self.members():
            with contextlib.suppress(OSError, IndexError):
                fields = _stat(pid)
                total += sum(fields[field] for field in (_UTIME, _STIME, _CUTIME, _CSTIME))
        return total / _TICK

    def memory_mb(self) -> float:
        """Proportional set size, summed: pages that n processes share count 1/n in each."""
        total = 0
        for pid in self.members():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1024

    def _is_marked(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return self._mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return False


def cpu_seconds(pid: int) -> float:
    """User and system time of one process."""
    fields = _stat(pid)
    return (fields[_UTIME] + fields[_STIME]) / _TICK


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _stat(pid: int) -> list[int]:
    """Numeric fields of /proc/PID/stat after the name: parent at 1, times from 11; zeros for a process that ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return [0] * 20
    return [int(field) if field.lstrip("-").isdigit() else 0 for field in text.rpartition(")")[2].split()]
