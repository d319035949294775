"""Checkpoint files: whole or not there."""

from pathlib import Path

import pytest
import torch

from training.fitting.checkpoints import read, write
from training.recipe import RecipeError

STATE = {"recipe": {"name": "x"}, "average": {"a": torch.ones(2000)}}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(STATE, tmp_path / "a.pt")
    assert torch.equal(read(tmp_path / "a.pt")["average"]["a"], torch.ones(2000))
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(STATE, tmp_path / "a.pt")
    before = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"a\.pt cannot be written: "):
        write(STATE, tmp_path / "a.pt")
    assert (tmp_path / "a.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_what_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    write(STATE, tmp_path / "whole.pt")
    (tmp_path / "torn.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:3000])
    torch.save({"a": torch.ones(2)}, tmp_path / "weights.pt")
    torch.save([1], tmp_path / "list.pt")
    (tmp_path / "text.pt").write_text("hello")
    for name in ("torn.pt", "weights.pt", "list.pt", "text.pt", "", "gone.pt"):
        with pytest.raises(RecipeError, match="is no checkpoint of a run"):
            read(tmp_path / name)
