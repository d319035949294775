"""From a recipe to the file that is exported: several runs, their average, the last step."""

from pathlib import Path

import pytest
import torch

from training.fitting.runs import FINAL, average, run_recipe
from training.fitting.trainer import CHECKPOINT, Hardware, load_network
from training.photos.manifest import Photo
from training.recipe import Kernel, Recipe

pytestmark = pytest.mark.training
CPU = Hardware(torch.device("cpu"), half=False, workers=0)
KERNEL = Kernel.model_validate({"levels": {"blocks.4": 0.2, "top": 0.3}, "landmarks": 8, "size": 96, "collages": 4})


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_recipe_ends_with_the_kernel_head(recipe: Recipe, photos: list[Photo], tmp_path: Path, epochs: int) -> None:
    changed = recipe.model_copy(update={"kernel": KERNEL, "epochs": epochs})
    path = run_recipe(changed, photos, tmp_path, CPU)
    assert path == tmp_path / FINAL
    network, described = load_network(path)
    again, _ = load_network(run_recipe(changed, photos, tmp_path, CPU))
    pixels = torch.randint(0, 256, (1, described.size, described.size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        torch.testing.assert_close(network(pixels)[0], again(pixels)[0])
        assert network(pixels)[0].abs().max() > 0


def test_one_run_without_a_last_step_is_its_checkpoint(recipe: Recipe, photos: list[Photo], tmp_path: Path) -> None:
    assert run_recipe(recipe.model_copy(update={"epochs": 1}), photos, tmp_path, CPU) == tmp_path / CHECKPOINT


def test_runs_are_averaged(recipe: Recipe, photos: list[Photo], tmp_path: Path) -> None:
    path = run_recipe(recipe.model_copy(update={"runs": 2, "epochs": 1}), photos, tmp_path, CPU)
    runs = [load_network(tmp_path / f"run-{number}" / CHECKPOINT) for number in (1, 2)]
    assert [described.seed for _, described in runs] == [recipe.seed, recipe.seed + 1]
    first, second, mean = (network.head.weight for network, _ in [*runs, load_network(path)])
    assert not torch.equal(first, second)
    torch.testing.assert_close(mean, (first + second) / 2)


def test_the_average_of_one_is_itself(recipe: Recipe, photos: list[Photo], tmp_path: Path) -> None:
    path = run_recipe(recipe.model_copy(update={"epochs": 1}), photos, tmp_path, CPU)
    assert torch.equal(average([path]).head.weight, load_network(path)[0].head.weight)
