"""docs/training.md, 'From your own photos to a served model': its commands, run as written on a tiny collection."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from PIL import Image

from service.api.app import create_app
from service.cli import main
from service.settings import load_settings
from tests.live import until
from training.cli import RECIPES
from training.recipe import load_recipe

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
TINY = """
name = "tiny"
trunk = "mobilenetv2_035"
trunk_weights = "{weights}"
size = 64
epochs = 1
epoch_size = 8
batch = 4
precision = "fp32"

[kernel]
landmarks = 20
folds = 2
levels = {{ "blocks.4" = 0.5, top = 0.5 }}

[categories]
"""


def commands() -> list[str]:
    section = PAGE.read_text(encoding="utf-8").split("## From your own photos to a served model")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0].strip().splitlines()


def _photos(root: Path) -> None:
    rng = np.random.default_rng(0)
    for label in ("ivory", "lookalike", "listing"):
        (root / label).mkdir(parents=True)
        for name in ["phone", *map(str, range(15))]:
            small = rng.integers(0, 256, (6, 6, 3)).astype(np.uint8)
            picture = Image.fromarray(small).resize((80, 80), Image.Resampling.BILINEAR)
            if label == "ivory":
                picture.paste((250, 240, 210), (20, 20, 60, 60))
            picture.save(root / label / f"{name}.jpg")


def _recipe(path: Path, weights: Path) -> None:
    categories = load_recipe(RECIPES / "faunalens-2.toml").categories
    lines = [f'{name} = "{maturity}"' for name, maturity in categories.items()]
    path.write_text(TINY.format(weights=weights) + "\n".join(lines) + "\n")


def test_the_commands_end_in_a_served_model(
    tmp_path: Path, trunk_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FAUNALENS_DATA", raising=False)
    _photos(tmp_path / "my-photos")
    _recipe(tmp_path / "tiny.toml", trunk_weights)
    *offline, serve = commands()
    assert [line.split()[1] for line in offline] == ["train", "export", "evaluate", "thresholds"]
    for line in offline:
        words = shlex.split(line)[1:] + (["--recipe", "tiny.toml", "--workers", "0"] if " train " in line else [])
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, done.output
        assert "looks too good" not in done.output, line
    *settings, _, verb = serve.split()
    assert verb == "serve"
    for name, value in (pair.split("=") for pair in settings):
        monkeypatch.setenv(name, value)
    with TestClient(create_app(load_settings())) as client:
        picture = (tmp_path / "my-photos" / "listing" / "phone.jpg").read_bytes()
        until(lambda: client.get("/readyz").status_code == 200)
        answer = client.post("/v1/detect", content=picture, headers={"Content-Type": "image/jpeg"}).json()
        assert answer["model"]["name"] == "mine"
