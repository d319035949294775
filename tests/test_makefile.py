"""The newcomer's menu, with a command in place of the service's that shows what it is given."""

import os
import shlex
import shutil
import subprocess
import sys
import venv
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


def make(checkout: Path, *words: str, code: int = 0, **more: str) -> tuple[int, str, str]:
    # without what the `make test` around it says
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": "/home/ann", "CODE": str(code), **more}
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


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_in_plain_c_a_checkout_may_lie_in_a_folder_of_any_name(checkout: Path, locale: str) -> None:
    """As an installation leaves it: a path file, which Python 3.11 and 3.12 read as the locale says."""
    place = checkout / "Prüfung"
    venv.create(place / ".venv-serve", symlinks=True)
    packages = next((place / ".venv-serve" / "lib").glob("python*")) / "site-packages"
    (packages / "checkout.pth").write_text(f"{place}\n", encoding="utf-8")
    (place / "checkout.py").write_text("print('found')\n", encoding="utf-8")
    command = place / ".venv-serve" / "bin" / "faunalens"
    command.write_text('#!/bin/sh\nexec "${0%/*}/python" -c "import checkout"\n', encoding="utf-8")
    command.chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(checkout / name, place)
    (place / ".venv-serve" / "ready").touch()
    code, output, errors = make(place, "scan", "DIR=.", LC_ALL=locale)
    assert (code, output) == (0, "found\n"), errors


def test_findings_are_no_fault_of_make(checkout: Path) -> None:
    assert [make(checkout, "scan", "DIR=.", code=code)[0] for code in (0, 4, 8, 12, 1, 3)] == [0, 0, 0, 0, 2, 2]


def test_a_scan_of_no_folder_asks_for_one(checkout: Path) -> None:
    code, output, errors = make(checkout, "scan")
    assert (code, output) == (2, "") and "make scan DIR=docs/samples" in errors


def test_an_older_python_is_told_before_anything_is_made(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv-serve")
    old = checkout / "python3.10"
    python = shlex.quote(sys.executable)
    old.write_text(f'#!/bin/sh\nexec {python} -c "import sys; sys.version_info = (3, 10, 12); $2"\n')
    old.chmod(0o755)
    code, _, errors = make(checkout, "PYTHON=./python3.10", "serve")
    assert code == 2 and "this needs Python 3.11 or later" in errors and not (checkout / ".venv-serve").exists()
    assert make(checkout, f"PYTHON={sys.executable}", "-n", "serve")[0] == 0
