"""Weights that are written anew replace the old ones together, or not at all."""

from pathlib import Path

import pytest

from training.exporting.whole import written_whole


def _contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_nothing_is_touched_where_writing_fails(tmp_path: Path) -> None:
    folder = tmp_path / "weights"

    def write(text: str, interrupted: bool = False) -> None:
        with written_whole(folder, "mine") as made:
            (made / "mine.onnx").write_text(text)
            if interrupted:
                raise KeyboardInterrupt
            (made / "mine.json").write_text(text)

    for text in ("old", "new"):
        write(text)
        assert _contents(folder) == {"mine.onnx": text, "mine.json": text}
    with pytest.raises(KeyboardInterrupt):
        write("half", interrupted=True)
    assert _contents(folder) == {"mine.onnx": "new", "mine.json": "new"}


def test_the_contract_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    monkeypatch.setattr(Path, "replace", lambda path, _: moved.append(path.name))
    with written_whole(tmp_path, "mine") as made:
        for name in ("mine.json", "mine.onnx", "mine.selftest.png"):
            (made / name).touch()
    assert moved == ["mine.onnx", "mine.selftest.png", "mine.json"]
