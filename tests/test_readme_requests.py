"""The README's curl commands against a real server on a real port."""

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.process import free_port, running, start


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running() as (chosen, _):
        yield chosen


def curls() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line for block in found for line in block.replace("\\\n", " ").splitlines() if line.startswith("curl ")]


@pytest.mark.parametrize("command", curls())
def test_curl_commands_of_the_readme(command: str, port: int, tmp_path: Path) -> None:
    command = command.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    command = command.replace("heatmap.png", shlex.quote(str(tmp_path / "h.png")))
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, check=True)
    if "heatmap" in command and "--output" in command:
        assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")
    else:
        assert "error" not in json.loads(done.stdout)


def test_the_readme_shows_what_the_service_answers(port: int) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0])
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/detect",
        (ROOT / "docs/samples/tusk-single.jpg").read_bytes(), {"Content-Type": "image/jpeg"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    assert shown["verdict"] == answer["verdict"]
    assert shown["model"] == answer["model"] and shown["image"] == answer["image"]
    for one, other in zip(shown["findings"], answer["findings"], strict=True):
        assert one["category"] == other["category"] and one["box"] == other["box"]
        assert one["probability"] == pytest.approx(other["probability"], abs=2e-3)


def test_the_health_check_of_the_image_asks_the_port_that_is_set(port: int) -> None:
    (check,) = re.findall(r"^HEALTHCHECK .* CMD \\\n +(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    # two seconds are for a machine with nothing else to do
    words = json.loads(check.replace("timeout=2", "timeout=60"))
    for asked, code in ((port, 0), (free_port(), 1)):
        environment = {**os.environ, "FAUNALENS_PORT": str(asked)}
        done = subprocess.run([sys.executable, *words[1:]], env=environment, capture_output=True, check=False)
        assert done.returncode == code
    # an empty variable counts as not set
    shown = words[2].replace("u.urlopen(", "print(").replace(", timeout=60", "")
    done = subprocess.run(
        [sys.executable, "-c", shown],
        env={**os.environ, "FAUNALENS_PORT": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "http://127.0.0.1:8000/livez\n"


def test_a_service_that_cannot_start_says_why() -> None:
    process = start(free_port(), FAUNALENS_MODEL="/nowhere/model.json")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "no model contract at /nowhere/model.json" in output
