"""The newcomer's menu, with a command in place of the service's that shows what it is given."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile and an environment that is ready."""
    command = tmp_path / ".venv-serve" / "bin" / "faunalens"
    command.parent.mkdir(parents=True)
    command.write_text('#!/bin/sh\nfor word; do echo "<$word>"; done\nexit $CODE\n')
    command.chmod(0o755)
    for name in ("pyproject.toml", "constraints.txt", ".venv-serve/ready"):
        (tmp_path / name).touch()
    shutil.copy(ROOT / "Makefile", tmp_path)
    return tmp_path


def make(checkout: Path, *words: str, code: int = 0) -> tuple[int, str, str]:
    # without what the `make test` around it says
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": "/home/ann", "CODE": str(code)}
    done = subprocess.run(
        ["make", *words], cwd=checkout, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ("docs/samples", "docs/samples"),
        ("/media/My photos", "/media/My photos"),
        ('Élan\'s "best" `of`; &', 'Élan\'s "best" `of`; &'),
        ("~/My photos", "/home/ann/My photos"),
        ("-x", "-x"),
    ],
)
def test_a_folder_of_any_name_is_scanned(checkout: Path, given: str, folder: str) -> None:
    assert make(checkout, "scan", f"DIR={given}")[:2] == (0, f"<scan>\n<-->\n<{folder}>\n")


def test_findings_are_no_fault_of_make(checkout: Path) -> None:
    assert [make(checkout, "scan", "DIR=.", code=code)[0] for code in (0, 4, 8, 12, 1, 3)] == [0, 0, 0, 0, 2, 2]


def test_a_scan_of_no_folder_asks_for_one(checkout: Path) -> None:
    code, output, errors = make(checkout, "scan")
    assert (code, output) == (2, "") and "make scan DIR=docs/samples" in errors


def test_an_older_python_is_told_before_anything_is_made(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv-serve")
    old = checkout / "python3.10"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 10, 12); $2"\n')
    old.chmod(0o755)
    code, _, errors = make(checkout, "PYTHON=./python3.10", "serve")
    assert code == 2 and "this needs Python 3.11 or later" in errors and not (checkout / ".venv-serve").exists()
    assert make(checkout, f"PYTHON={sys.executable}", "-n", "serve")[0] == 0
