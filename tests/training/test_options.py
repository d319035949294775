"""Photos are judged by the names that the weights know."""

from pathlib import Path

import pytest

from service.contract import load_contract
from service.detector import DEFAULT_MODEL, shipped_weights
from training.options import read_for


def test_labels_are_those_of_the_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("tusk", "ivory", "walrus", "listing"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.jpg").write_bytes(folder.encode())
    shipped = load_contract(shipped_weights() / DEFAULT_MODEL)
    contract = shipped.model_copy(update={"training": {"recipe": {"merge": {"tusk": "ivory"}}}})
    photos = {photo.file: photo.labels for photo in read_for(contract, tmp_path, None)}
    assert photos == {"ivory/a.jpg": ("ivory",), "listing/a.jpg": (), "tusk/a.jpg": ("ivory",)}
    told = capsys.readouterr().err
    assert told.startswith(f"left out, not categories of {shipped.name}: walrus; it has ivory, rhino_horn, ")
    assert told.endswith(", other_wildlife, listing, lookalike, live_animal\n")
