import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.drafts import drafted
from tests.conftest import ROOT


def half_a_file(draft: Path) -> None:
    draft.write_text("half")


def half_a_folder(draft: Path) -> None:
    (draft / "photos").mkdir(parents=True)
    half_a_file(draft / "photos" / "a.jpg")


def test_what_is_finished_gets_its_name_whole(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    with drafted(out) as draft:
        draft.write_text("{}")
        assert draft.parent == tmp_path and not out.exists()
        draft.rename(out)
    assert list(tmp_path.iterdir()) == [out] and out.read_text() == "{}"


@pytest.mark.parametrize("begin", [half_a_file, half_a_folder])
def test_what_is_not_finished_is_removed(tmp_path: Path, begin: Callable[[Path], None]) -> None:
    def fail() -> None:
        with drafted(tmp_path / "out") as draft:
            begin(draft)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("begin", [half_a_file, half_a_folder])
def test_what_a_killed_run_left_is_removed(tmp_path: Path, begin: Callable[[Path], None]) -> None:
    with drafted(tmp_path / "out") as draft:
        pass
    begin(draft)
    with drafted(tmp_path / "out") as again:
        assert again == draft and not again.exists()


_WRITER = """
import sys
from pathlib import Path
from service.drafts import drafted
try:
    with drafted(Path(sys.argv[1])) as draft:
        draft.write_text("its own")
        print("writing", flush=True)
        sys.stdin.read()
        draft.rename(sys.argv[1])
except BlockingIOError as error:
    print(error.strerror, flush=True)
"""


@contextlib.contextmanager
def writer(out: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that drafts ``out`` until its input ends; its first line of output says whether it may."""
    command = [sys.executable, "-c", _WRITER, str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process


def test_one_process_at_a_time_makes_a_file(tmp_path: Path) -> None:
    out = tmp_path / "case.zip"
    with writer(out) as first:
        assert first.stdout and first.stdout.readline() == "writing\n"
        with pytest.raises(BlockingIOError, match=r"another process is writing it: .*case\.zip"), drafted(out):
            pass
        with drafted(tmp_path / "other.zip"):
            pass
        assert first.communicate() == ("", None)
    assert out.read_text() == "its own" and list(tmp_path.iterdir()) == [out]


def test_a_killed_process_keeps_nobody_from_it(tmp_path: Path) -> None:
    out = tmp_path / "case.zip"
    with writer(out) as first:
        assert first.stdout and first.stdout.readline() == "writing\n"
        first.kill()
        first.wait()
        with drafted(out) as draft:
            assert not draft.exists()
    assert list(tmp_path.iterdir()) == []
