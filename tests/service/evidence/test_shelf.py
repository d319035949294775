import errno
import os
import zipfile
from pathlib import Path

import pytest

from service.evidence.shelf import new_package, open_shelf


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


def test_a_pipe_in_a_package_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(OSError, match="no such file"):
        open_shelf(tmp_path).read("manifest.json")


def test_a_size_below_nothing_does_not_ask_for_everything(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "case.zip", "w") as archive:
        archive.writestr("a", b"1234")
    (tmp_path / "a").write_bytes(b"1234")
    assert {open_shelf(path).read("a", -2) for path in (tmp_path, tmp_path / "case.zip")} == {b"1"}


@pytest.mark.parametrize("name", ["case.zip", "case"])
def test_a_package_that_is_there_stays(tmp_path: Path, name: str) -> None:
    with new_package(tmp_path / name) as writer:
        writer.add("manifest.json", b"first")
    with pytest.raises(FileExistsError, match="it is there already"), new_package(tmp_path / name) as writer:
        writer.add("manifest.json", b"second")
    assert open_shelf(tmp_path / name).read("manifest.json") == b"first" and len(list(tmp_path.iterdir())) == 1
