import os
from pathlib import Path

import pytest

from service.cores import available_cores


@pytest.mark.parametrize(("quota", "cores"), [("100000 100000", 1), ("250000 100000", 2), ("50000 100000", 1)])
def test_quota_bounds_the_cores(tmp_path: Path, quota: str, cores: int) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota + "\n")
    assert available_cores(file) == min(cores, len(os.sched_getaffinity(0)))


@pytest.mark.parametrize("text", ["max 100000", "", "nonsense"])
def test_without_quota_affinity_counts(tmp_path: Path, text: str) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(text)
    assert available_cores(file) == len(os.sched_getaffinity(0))
    assert available_cores(tmp_path / "missing") == len(os.sched_getaffinity(0))
