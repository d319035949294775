import os
from pathlib import Path

import pytest

from service.runtime.cores import available_cores

AFFINITY = len(os.sched_getaffinity(0))


def system(folder: Path, groups: str, files: dict[str, str]) -> Path:
    """A folder that looks like ``/`` to a process in ``groups``; ``files``: below ``/sys/fs/cgroup``."""
    written = {"proc/self/cgroup": groups, **{f"sys/fs/cgroup/{name}": text for name, text in files.items()}}
    for name, text in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(("quota", "cores"), [("100000 100000", 1), ("250000 100000", 2), ("50000 100000", 1)])
def test_quota_bounds_the_cores(tmp_path: Path, quota: str, cores: int) -> None:
    assert available_cores(system(tmp_path, "0::/\n", {"cpu.max": quota + "\n"})) == min(cores, AFFINITY)


def test_the_least_quota_around_the_process_counts(tmp_path: Path) -> None:
    files = {"a/cpu.max": "100000 100000\n", "a/b/cpu.max": "800000 100000\n", "c/cpu.max": "10000 100000\n"}
    assert available_cores(system(tmp_path, "0::/a/b\n", files)) == 1


def test_a_group_without_quota_is_bounded_by_the_one_around_it(tmp_path: Path) -> None:
    files = {"a/cpu.max": "max 100000\n", "cpu.max": "100000 100000\n"}
    assert available_cores(system(tmp_path, "0::/a\n", files)) == 1


@pytest.mark.parametrize("mounted", ["cpu,cpuacct", "cpu"])
@pytest.mark.parametrize("inside", ["docker/ab/", ""])
def test_version_1_in_its_group_and_where_the_mount_begins_there(tmp_path: Path, mounted: str, inside: str) -> None:
    groups = "5:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n0::/\n"
    files = {
        f"{mounted}/{inside}cpu.cfs_quota_us": "150000\n",
        f"{mounted}/{inside}cpu.cfs_period_us": "100000\n",
        "memory/docker/ab/cpu.cfs_quota_us": "1\n",
    }
    assert available_cores(system(tmp_path, groups, files)) == 1


def test_version_1_without_quota(tmp_path: Path) -> None:
    files = {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}
    assert available_cores(system(tmp_path, "1:cpu:/\n", files)) == AFFINITY


@pytest.mark.parametrize("text", ["max 100000", "", "nonsense", "0 0", "-5 100000", "5 0"])
def test_without_quota_affinity_counts(tmp_path: Path, text: str) -> None:
    assert available_cores(system(tmp_path, "0::/\n", {"cpu.max": text})) == AFFINITY


@pytest.mark.parametrize("groups", ["", "nonsense\n", "0::relative\n", "0::/../../x\n"])
def test_groups_that_say_nothing(tmp_path: Path, groups: str) -> None:
    assert available_cores(system(tmp_path, groups, {"cpu.max": "max 100000\n"})) == AFFINITY
    assert available_cores(tmp_path / "missing") == AFFINITY


def test_affinity_counts(tmp_path: Path) -> None:
    given = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(given)})
    try:
        assert available_cores(tmp_path) == 1
    finally:
        os.sched_setaffinity(0, given)
