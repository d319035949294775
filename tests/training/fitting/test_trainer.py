"""Training: repeatable, resumable, and it refuses what does not fit."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.fitting.trainer import CHECKPOINT, Hardware, Trainer, choose_hardware, load_network
from training.photos import dataset
from training.photos.manifest import Photo
from training.recipe import Recipe, RecipeError

pytestmark = pytest.mark.training
CPU = Hardware(torch.device("cpu"), half=False, workers=0)
State = dict[str, torch.Tensor]


def _fit(recipe: Recipe, photos: list[Photo], out: Path, stop_after: int | None = None) -> State:
    return _average(Trainer(recipe, photos, out, CPU).fit(stop_after))


def _average(path: Path) -> State:
    state: State = torch.load(path, weights_only=True)["average"]
    return state


def _equal(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def trained(recipe: Recipe, photos: list[Photo], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two epochs in one go."""
    out = tmp_path_factory.mktemp("trained")
    _fit(recipe, photos, out)
    return out


def test_resuming_gives_the_weights_of_an_uninterrupted_run(
    recipe: Recipe, photos: list[Photo], tmp_path: Path, trained: Path
) -> None:
    half_way = _fit(recipe, photos, tmp_path, stop_after=1)
    resumed = _fit(recipe, photos, tmp_path)
    straight = _average(trained / CHECKPOINT)
    assert not _equal(half_way, straight)
    assert _equal(resumed, straight)


def test_same_seed_same_weights_other_seed_other_weights(recipe: Recipe, photos: list[Photo], tmp_path: Path) -> None:
    short = recipe.model_copy(update={"epochs": 1})
    first = _fit(short, photos, tmp_path / "a")
    assert _equal(first, _fit(short, photos, tmp_path / "b"))
    assert not _equal(first, _fit(short.model_copy(update={"seed": 2}), photos, tmp_path / "c"))


def test_another_recipe_does_not_resume(recipe: Recipe, photos: list[Photo], trained: Path) -> None:
    other = recipe.model_copy(update={"head_rate": 1e-4})
    with pytest.raises(ValueError, match="made with another recipe"):
        Trainer(other, photos, trained, CPU).fit()


def test_other_photos_do_not_resume(recipe: Recipe, photos: list[Photo], tmp_path: Path, trained: Path) -> None:
    """A finished run would give its old weights for them without a word."""
    first = next(place for place, photo in enumerate(photos) if photo.split == "train")
    changed = [*photos[:first], replace(photos[first], labels=("rhino_horn",)), *photos[first + 1 :]]
    for others in (photos[1:], changed):
        with pytest.raises(RecipeError, match="made with other photos of train"):
            Trainer(recipe, others, trained, CPU).fit()
    elsewhere = [replace(photo, path=photo.path.parent / "." / photo.file) for photo in photos]
    Trainer(recipe, elsewhere, trained, CPU).fit()
    untrained = recipe.model_copy(update={"epochs": 0, "kind_weight": 0.5})
    for some in (photos, photos[1:]):
        Trainer(untrained, some, tmp_path, CPU).fit()


def test_a_loss_that_is_no_number_ends_the_run(recipe: Recipe, photos: list[Photo], tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="the loss of epoch 1 is no number any more"):
        Trainer(recipe.model_copy(update={"head_rate": 1e37}), photos, tmp_path, CPU).fit()
    assert not list(tmp_path.glob("*.pt*"))


def test_a_finished_run_trains_no_more(recipe: Recipe, photos: list[Photo], trained: Path) -> None:
    before = (trained / CHECKPOINT).stat().st_mtime_ns
    Trainer(recipe, photos, trained, CPU).fit()
    assert (trained / CHECKPOINT).stat().st_mtime_ns == before


def test_log_has_a_row_an_epoch(trained: Path) -> None:
    with (trained / "log.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(float(row["loss"]) > 0 for row in rows)
    assert not list(trained.glob("*.partial"))


def test_the_log_of_a_run_that_was_killed_goes_on_where_the_checkpoint_is(
    recipe: Recipe, photos: list[Photo], tmp_path: Path
) -> None:
    _fit(recipe, photos, tmp_path, stop_after=1)
    with (tmp_path / "log.csv").open("a", encoding="utf-8") as stream:
        stream.write("2,0.1,9\r\n3,0.")
    _fit(recipe, photos, tmp_path)
    with (tmp_path / "log.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) != 0.1


def test_training_moves_the_head_and_not_the_frozen_stages(recipe: Recipe, photos: list[Photo], trained: Path) -> None:
    begun = Trainer(recipe, photos, trained, CPU).network.state_dict()
    ended = _average(trained / CHECKPOINT)
    assert not torch.equal(begun["head.weight"], ended["head.weight"])
    assert not torch.equal(begun["trunk.blocks.3.0.conv_pw.weight"], ended["trunk.blocks.3.0.conv_pw.weight"])
    assert torch.equal(begun["trunk.conv_stem.weight"], ended["trunk.conv_stem.weight"])


def test_loads_the_averaged_weights(recipe: Recipe, trained: Path) -> None:
    averaged, found = load_network(trained / CHECKPOINT)
    last = torch.load(trained / CHECKPOINT, weights_only=True)["network"]
    assert found == recipe
    assert not averaged.training
    assert torch.equal(averaged.head.weight, _average(trained / CHECKPOINT)["head.weight"])
    assert not torch.equal(averaged.head.weight, last["head.weight"])


def test_kinds_are_learnt_when_asked(recipe: Recipe, photos: list[Photo], tmp_path: Path) -> None:
    path = Trainer(recipe.model_copy(update={"kind_weight": 0.5, "epochs": 1}), photos, tmp_path, CPU).fit()
    head = load_network(path)[0].kind_head
    assert head is not None
    assert head.out_features == 4


def test_sources_are_left_out(recipe: Recipe, photos: list[Photo], tmp_path: Path) -> None:
    trainer = Trainer(recipe.model_copy(update={"leave_out_sources": ("source-0",)}), photos, tmp_path, CPU)
    left = {photo.source for photo in [*trainer.train_photos, *trainer.val_photos]}
    assert left == {"source-1", "source-2", "source-3"}


def test_photos_are_split(recipe: Recipe, photos: list[Photo], tmp_path: Path) -> None:
    trainer = Trainer(recipe, photos, tmp_path, CPU)
    assert {photo.split for photo in trainer.train_photos} == {"train"}
    assert {photo.split for photo in trainer.val_photos} == {"val"}


def test_hardware_follows_the_recipe(recipe: Recipe) -> None:
    assert choose_hardware(recipe, "cpu", 0) == CPU
    assert choose_hardware(recipe.model_copy(update={"precision": "bf16"}), "cpu", 3).half


def test_mining_changes_what_is_drawn_and_resumes(recipe: Recipe, photos: list[Photo], tmp_path: Path) -> None:
    mining = recipe.model_copy(update={"mining": 0.5})
    straight = _fit(mining, photos, tmp_path / "straight")
    _fit(mining, photos, tmp_path / "halves", stop_after=1)
    assert _equal(_fit(mining, photos, tmp_path / "halves"), straight)
    assert not _equal(_fit(recipe, photos, tmp_path / "without"), straight)


def test_photos_in_memory_give_the_same_weights(recipe: Recipe, photos: list[Photo], tmp_path: Path) -> None:
    short = recipe.model_copy(update={"epochs": 1})
    read = _fit(short, photos, tmp_path / "read")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "_KEPT", {})
        dataset.keep_in_memory(photos)
        assert len(dataset._KEPT) == len(photos)
        assert _equal(_fit(short, photos, tmp_path / "kept"), read)
