"""The key of the evidence packages, on a disk that fills up."""

import resource
from pathlib import Path

import pytest

from service.errors import StartError
from service.evidence.signing import load_key, make_key


def test_a_full_disk_leaves_no_half_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # a limit on the size of files stands for the disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(StartError, match="cannot be made: File too large"):
            make_key(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not path.exists()
    make_key(path)
    assert load_key(path) and path.stat().st_mode & 0o777 == 0o600
