"""A training command that cannot go on says why in a sentence; nobody has to read a traceback."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from training.cli import evaluate, export, thresholds, train
from training.command import TrainingCommand

CAPACITY = ("--photos-per-day", "10", "--review-capacity", "5")


def _message(command: click.Command, *words: str) -> str:
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    return done.output


@pytest.fixture
def tree(tmp_path: Path, collection: Path) -> Path:
    """One photo of ivory, and files that are not what they should be."""
    picture = next(collection.glob("*.jpg")).read_bytes()
    (tmp_path / "photos" / "ivory").mkdir(parents=True)
    (tmp_path / "photos" / "ivory" / "a.jpg").write_bytes(picture)
    (tmp_path / "wrong.toml").write_text('name = "w"\nsizes = 3\n')
    (tmp_path / "broken.toml").write_text("name = \n")
    (tmp_path / "wrong.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(("file", "reason"), [("wrong.toml", "sizes"), ("broken.toml", "Invalid value")])
def test_a_recipe_that_cannot_be_used(tree: Path, file: str, reason: str) -> None:
    words = ("--data", str(tree / "photos"), "--out", str(tree / "out"), "--recipe", str(tree / file))
    message = _message(train, *words)
    assert "cannot be used" in message
    assert reason in message


def test_a_run_of_another_recipe(collection: Path, tmp_path: Path, trunk_weights: Path) -> None:
    recipe = tmp_path / "tiny.toml"
    words = ("--data", str(collection), "--recipe", str(recipe), "--out", str(tmp_path / "out"), "--workers", "0")
    text = (
        f'trunk = "mobilenetv2_035"\ntrunk_weights = "{trunk_weights}"\nsize = 64\nepochs = 0\n'
        '[categories]\nivory = "core"\n'
    )
    recipe.write_text(text)
    assert CliRunner().invoke(train, words).exit_code == 0
    assert "made with another recipe" in _message(train, *words, "--seed", "9")


def test_a_model_policy_or_checkpoint_that_cannot_be_used(tree: Path) -> None:
    common = ("--data", str(tree / "photos"), "--out", str(tree / "out"))
    wrong = str(tree / "wrong.json")
    assert "is not valid" in _message(evaluate, *common, "--model", wrong)
    assert "no policy 'nope'" in _message(evaluate, *common, "--split", "train", "--policy", "nope")
    picture = ("--picture", str(tree / "photos" / "ivory" / "a.jpg"))
    assert "is no checkpoint" in _message(export, *common, "--checkpoint", wrong, *picture)


def test_a_split_without_photos(tree: Path) -> None:
    common = ("--data", str(tree / "photos"), "--out", str(tree / "out"))
    assert "no photos in test" in _message(evaluate, *common, "--split", "test")
    assert "no photos in test" in _message(thresholds, *common, "--split", "test", *CAPACITY)


def test_a_missing_library_names_the_extra() -> None:
    @click.command(cls=TrainingCommand)
    def lacking() -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    assert "torch is not installed" in _message(lacking)
    assert "faunalens[training]" in _message(lacking)


def test_a_module_of_ours_that_is_missing_is_a_fault() -> None:
    @click.command(cls=TrainingCommand)
    def broken() -> None:
        raise ModuleNotFoundError("No module named 'training.gone'", name="training.gone")

    with pytest.raises(ModuleNotFoundError):
        CliRunner().invoke(broken, catch_exceptions=False)
