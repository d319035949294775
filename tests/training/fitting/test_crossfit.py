"""Scores out of folds come from heads that did not see the photo, and calibration stands on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from service.cli import main
from service.contract import load_contract
from training.exporting.export import export
from training.exporting.quantize import quantize
from training.fitting.crossfit import Rows, deal, fitted_on_val, kept_scores, out_of_fold
from training.fitting.kernel import KernelHead
from training.fitting.runs import run_recipe
from training.fitting.trainer import choose_hardware, load_network
from training.photos.manifest import Photo, select
from training.recipe import Kernel, Recipe

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
KERNEL = Kernel.model_validate(
    {"levels": {"top": 0.3}, "landmarks": 12, "collages": 2, "decorated": 2, "folds": 2, "weights": {"source-2": 0.5}}
)


@pytest.fixture(scope="module")
def checkpoint(recipe: Recipe, photos: list[Photo], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose head is fitted on train and val, in two folds."""
    chosen = recipe.model_copy(update={"kernel": KERNEL, "epochs": 0})
    return run_recipe(chosen, photos, tmp_path_factory.mktemp("folds"), choose_hardware(chosen, "cpu", 0))


def _photo(name: str, labels: tuple[str, ...], instance: str) -> Photo:
    return Photo(Path(name), name, "train", labels, "product" if labels else "listing", "", instance, "here")


def test_an_item_is_in_one_fold_and_labels_are_dealt_evenly() -> None:
    photos = [_photo(f"{i}-{side}.jpg", ("ivory",) if i < 9 else (), f"item-{i}") for i in range(60) for side in "ab"]
    folds = deal(photos, 3, seed=4)
    assert all(folds[i] == folds[i + 1] for i in range(0, len(photos), 2))
    assert np.bincount(folds[:18]).tolist() == [6, 6, 6] and np.bincount(folds).tolist() == [40, 40, 40]
    assert deal(photos, 3, seed=4).tolist() == folds.tolist() != deal(photos, 3, seed=5).tolist()
    with pytest.raises(ValueError, match="two folds"):
        deal(photos, 1, seed=4)


@pytest.mark.parametrize("folds", [3, 8])  # the second leaves folds empty
@pytest.mark.parametrize("background", ["p/12.jpg", "12.jpg", "elsewhere/12.jpg"])
def test_no_head_sees_what_it_scores(folds: int, background: str) -> None:
    # 3 and 6 are rendered, items of their own, 6 before photo 12; 8 is a composite, of the item of photo 13
    photos = [_photo(f"p/{i}.jpg", (), "scene" if i in (3, 6) else f"item-{i % 5}") for i in range(20)]
    photos[6] = replace(photos[6], background=background)
    light = np.array([i in (3, 6, 8) for i in range(20)])
    # twenty photos, and four quarters of a collage of them
    weights = torch.from_numpy(np.where([*light, *[True] * 4], 0.2, 1.0))
    rows = Rows(torch.rand(24, 3).double(), torch.zeros(24, 1).double(), weights, np.array([*range(20), 0, 6, 11, 19]))
    scored: list[int] = []

    class Head(KernelHead):
        def __init__(self, some: Rows) -> None:
            self.seen = set(some.photo.tolist())

        def score(self, means: torch.Tensor) -> torch.Tensor:
            positions = [int(value) for value in means[:, 0, 0]]
            items = {photos[i].instance for i in positions}
            assert not {photos[i].instance for i in self.seen} & items
            assert 3 in self.seen and (8 in self.seen) == (photos[8].instance not in items)
            assert (6 in self.seen) == (photos[12].instance not in items or background == "elsewhere/12.jpg")
            scored.extend(positions)
            return torch.full((len(means), 1), 7.0)

    windows = torch.arange(20.0)[:, None, None].expand(-1, 6, 3)
    found = out_of_fold(rows, windows, photos, folds, 1, Head)
    assert sorted(scored) == [i for i in range(20) if not light[i]]
    assert found.files == tuple(photo.file for photo, less in zip(photos, light, strict=True) if not less)
    assert (found.logits == 7).all()


def test_every_photo_of_a_large_fold_gets_its_own_score(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not scored would have logit 0, and calibration would believe it."""
    monkeypatch.setattr("training.fitting.crossfit._AT_ONCE", 3)
    photos = [_photo(f"{i}.jpg", (), f"item-{i}") for i in range(20)]
    rows = Rows(torch.rand(20, 3), torch.zeros(20, 1), torch.ones(20), np.arange(20))

    class Head(KernelHead):
        def __init__(self, _: Rows) -> None:
            pass

        def score(self, means: torch.Tensor) -> torch.Tensor:
            return means[:, 0, :1] + 5

    windows = torch.arange(20.0)[:, None, None].expand(-1, 6, 3)
    assert out_of_fold(rows, windows, photos, 2, 1, Head).logits[:, 0].tolist() == [i + 5 for i in range(20)]


def test_calibration_stands_on_the_scores(checkpoint: Path, photos: list[Photo], tmp_path: Path) -> None:
    network, recipe = load_network(checkpoint)
    scores = kept_scores(checkpoint)
    assert scores and set(scores.files) == {p.file for p in photos if p.split != "test" and p.source != "source-2"}
    contract = export(network, recipe, photos, tmp_path, "folded", photos[0].path, scores)
    assert contract.categories[0].calibration.fitted_on.startswith("train and val, out of fold")
    assert fitted_on_val(contract)
    with pytest.raises(ValueError, match="not here"):
        export(network, recipe, select(photos, "val"), tmp_path, "folded", photos[0].path, scores)
    small = quantize(tmp_path / "folded.json", photos, tmp_path, "small", count=200)
    assert small.training["quantized"]["photos"] == len(select(photos, "train"))
    kept = [(category.calibration, category.thresholds) for category in contract.categories]
    assert [(category.calibration, category.thresholds) for category in small.categories] == kept


def test_the_commands_export_it_and_warn_on_val(
    checkpoint: Path, collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(command: str, *words: object) -> str:
        result = CliRunner().invoke(main, [command, "--data", str(collection), *(str(word) for word in words)])
        assert result.exit_code == 0, result.output
        return result.output

    picture = collection / "train-none-listing-0.jpg"
    call("export", "--checkpoint", checkpoint, "--out", tmp_path, "--name", "x", "--picture", picture)
    model = tmp_path / "x.json"
    assert fitted_on_val(load_contract(model))
    policies = tmp_path / "policies.toml"
    policies.write_text('[default]\nversion = "1"\ndescription = ""\n[default.categories]\n"*" = { review = 0.5 }\n')
    monkeypatch.setenv("FAUNALENS_POLICIES", str(policies))
    common = ("--model", model, "--rounds", 10)
    assert "looks too good; take --split test" in call("evaluate", *common, "--split", "val", "--out", tmp_path / "val")
    assert "looks too good" not in call("evaluate", *common, "--split", "test", "--out", tmp_path / "test")
