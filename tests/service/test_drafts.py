from collections.abc import Callable
from pathlib import Path

import pytest

from service.drafts import drafted


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
