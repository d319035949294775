"""``faunalens train`` killed in the middle of an epoch: the same command ends with the same file."""

import signal
import subprocess
from pathlib import Path

import pytest
import torch

from tests.live import until
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


def _start(collection: Path, recipe: Path, out: Path, *words: str) -> "subprocess.Popen[bytes]":
    command = ("train", "--data", str(collection), "--recipe", str(recipe), "--device", "cpu", "--out", str(out))
    return subprocess.Popen([*COMMAND, *command, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _epochs(out: Path) -> int:
    log = out / "log.csv"
    return max(0, len(log.read_text().splitlines()) - 1) if log.exists() else 0


def test_a_killed_run_ends_as_one_that_was_not(collection: Path, trunk_weights: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE.format(weights=trunk_weights, draws=48))
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    process = _start(collection, recipe, killed)
    until((killed / "checkpoint.pt").exists)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "final.pt").exists()
    assert 1 <= _epochs(killed) < 3
    assert _start(collection, recipe, killed).wait() == 0
    # as many processes that read photos as one likes: what is drawn does not depend on them
    assert _start(collection, recipe, straight, "--workers", "0").wait() == 0
    assert _epochs(killed) == _epochs(straight) == 3
    one, other = (torch.load(out / "final.pt", weights_only=True)["average"] for out in (killed, straight))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
