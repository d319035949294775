"""How many cores this process may use: CPU affinity and the cgroup quota, whichever is less."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_SYSTEM = Path("/")
_Quota = tuple[int, int]


def available_cores(system: Path = _SYSTEM) -> int:
    """Whole cores, at least 1. ``system``: the folder in which ``proc`` and ``sys`` lie.

    The quota is the least of the process's cgroup and of the groups around it, of versions 1 and 2 alike
    (cgroups(7); Linux's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1, scheduler/sched-bwc.rst).
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    whole = (quota // period for quota, period in _quotas(system))
    return max(1, min([cores, *whole]))


def _quotas(system: Path) -> Iterator[_Quota]:
    """Every quota over this process, as microseconds of processor time and the microseconds in which they may be used.

    Inside a container, the path that the kernel names may lie outside what is mounted; the mount's top is its group.
    """
    mount = system / "sys/fs/cgroup"
    for controllers, path in _groups(system / "proc/self/cgroup"):
        if not controllers:
            tops, read = (mount, mount / "unified"), _version_2
        elif "cpu" in controllers.split(","):
            tops, read = (mount / controllers, mount / "cpu"), _version_1
        else:
            continue
        for top in tops:
            for folder in (path, *path.parents):
                with contextlib.suppress(OSError, ValueError):
                    quota = read(top / folder.relative_to("/"))
                    if quota[0] > 0 and quota[1] > 0:
                        yield quota


def _groups(file: Path) -> Iterator[tuple[str, PurePosixPath]]:
    """Controllers (none: version 2) and path of each cgroup of this process: lines like ``4:cpu,cpuacct:/a/b``."""
    with contextlib.suppress(OSError, ValueError):
        for line in file.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            yield controllers, PurePosixPath(path)


def _version_2(folder: Path) -> _Quota:
    """``cpu.max``: "<quota> <period>"; raises ValueError for the quota "max", none."""
    quota, period = (folder / "cpu.max").read_text().split()
    return int(quota), int(period)


def _version_1(folder: Path) -> _Quota:
    """A quota of -1 is none."""
    quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
    return quota, period
