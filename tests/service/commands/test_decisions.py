import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from service.cli import main
from service.commands.decisions import export_label_studio
from service.detector import Detector
from service.store.states import ReviewState
from tests.conftest import ROOT
from tests.filled import fill

# the first photo is written, and the signal comes, which whoever started the tests may have had ignored
KILLED = """
import os, signal
if os.environ["SIGNAL"] != "SIGKILL":
    signal.signal(getattr(signal, os.environ["SIGNAL"]), signal.SIG_DFL)
from service.cli import main
from service.exports import kept

def write(case, photos, root, write=kept.write):
    assert write(case, photos, root)
    os.kill(os.getpid(), getattr(signal, os.environ["SIGNAL"]))

kept.write = write
main()
"""


def test_photos_of_every_state_can_be_exported() -> None:
    (option,) = (found for found in export_label_studio.params if found.name == "state")
    assert isinstance(option.type, click.Choice)
    assert {*option.type.choices} == {*ReviewState, "all"}


def end_by(name: str, folder: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """An export that a signal ends once the first photo is written."""
    return subprocess.run(
        [sys.executable, "-c", KILLED, "decisions", "export", "label-studio", "--out", str(out)], cwd=ROOT, check=False,
        env={**os.environ, "FAUNALENS_STORE": str(folder), "SIGNAL": name}, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_an_export_that_is_ended_leaves_no_photo(name: str, detector: Detector, tmp_path: Path) -> None:
    fill(tmp_path / "store", detector).database.close()
    out = tmp_path / "out" / "tasks"
    done = end_by(name, tmp_path / "store", out)
    assert not list(out.parent.iterdir()), done
    assert done.returncode == 128 + getattr(signal, name) and "Traceback" not in done.stderr


def test_what_a_killed_export_left_is_removed_by_the_next_which_says_so(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "store", detector).database.close()
    out, left = tmp_path / "out" / "tasks", tmp_path / "out" / ".tasks.part"
    assert end_by("SIGKILL", tmp_path / "store", out).returncode == -signal.SIGKILL
    assert list(left.glob("photos/*"))
    monkeypatch.setenv("FAUNALENS_STORE", str(tmp_path / "store"))
    done = CliRunner().invoke(main, ["decisions", "export", "label-studio", "--out", str(out)])
    assert done.exit_code == 0 and f"what an export that was killed had left in {left} is removed" in done.stderr
    assert out.is_dir() and not left.exists()
