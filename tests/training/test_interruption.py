"""``faunalens train`` killed in the middle of an epoch: the same command ends with the same file."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.process import COMMAND

pytestmark = pytest.mark.training
RECIPE = """
trunk = "mobilenetv2_035"
trunk_weights = "{weights}"
size = 64
epochs = 3
epoch_size = {draws}
batch = 4
precision = "fp32"
frozen_stages = 2
ema_decay = 0.5
mining = 0.3

[kernel]
landmarks = 8
levels = {{ "blocks.4" = 0.3, top = 0.3 }}

[categories]
ivory = "core"
rhino_horn = "experimental"
"""


# an epoch has 12 steps; from outside the process may be met after the last of them
KILLED = """
import os, signal
from service.cli import main
from training.fitting.trainer import Trainer
step, left = Trainer._step, iter(range(18))
def last(*batch):
    if next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*batch)
Trainer._step = last
main()
"""


def _train(collection: Path, recipe: Path, out: Path, *words: str, code: str = COMMAND[-1]) -> int:
    command = ("train", "--data", str(collection), "--recipe", str(recipe), "--device", "cpu", "--out", str(out))
    nowhere = subprocess.DEVNULL
    return subprocess.call([sys.executable, "-c", code, *command, *words], stdout=nowhere, stderr=nowhere)


def _epochs(out: Path) -> int:
    log = out / "log.csv"
    return max(0, len(log.read_text().splitlines()) - 1) if log.exists() else 0


def test_a_killed_run_ends_as_one_that_was_not(collection: Path, trunk_weights: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE.format(weights=trunk_weights, draws=48))
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    assert _train(collection, recipe, killed, code=KILLED) == -signal.SIGKILL
    assert not (killed / "final.pt").exists()
    assert _epochs(killed) == 1
    assert _train(collection, recipe, killed) == 0
    # as many processes that read photos as one likes: what is drawn does not depend on them
    assert _train(collection, recipe, straight, "--workers", "0") == 0
    assert _epochs(killed) == _epochs(straight) == 3
    one, other = (torch.load(out / "final.pt", weights_only=True)["average"] for out in (killed, straight))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
