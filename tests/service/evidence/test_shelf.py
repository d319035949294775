import errno
import zipfile
from pathlib import Path

import pytest

from service.evidence.shelf import new_package


def test_a_package_that_the_disk_has_no_room_for_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close, opened = zipfile.ZipFile.close, list[zipfile.ZipFile]()

    def full(archive: zipfile.ZipFile) -> None:
        opened.append(archive)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "close", full)
        with pytest.raises(OSError, match="No space left"), new_package(tmp_path / "case.zip") as writer:
            writer.add("manifest.json", b"{}")
    close(opened[0])
    assert list(tmp_path.iterdir()) == []
