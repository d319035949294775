"""A folder is written by one run at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

import training.scenes.__main__ as scenes
from training.folder_lock import FolderTakenError, locked

KEEP = """
import sys
from pathlib import Path
from training.folder_lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_locked_by_one_process(tmp_path: Path) -> None:
    words = [sys.executable, "-c", KEEP, str(tmp_path / "out")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "locked\n"
        with pytest.raises(FolderTakenError, match="another run is under way"), locked(tmp_path / "out"):
            pass
        process.kill()
    with locked(tmp_path / "out"):
        pass


def test_scenes_are_rendered_to_a_folder_by_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each would write the manifest without what the other made."""
    monkeypatch.setattr(scenes, "installed", lambda: True)
    monkeypatch.setattr(scenes.pool, "run", lambda *_: pytest.fail("rendering began"))
    words = [sys.executable, "-c", KEEP, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "locked\n"
        assert scenes.main([str(tmp_path), "--count", "2"]) == 1
        process.kill()
    assert "another run is under way" in capsys.readouterr().err
