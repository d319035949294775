"""What the image installs is locked by hash, and nothing that serves unpickles."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOADERS = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "torch", "yaml"}
# Python reports every class that an unpickler looks up (audit event of pickle.Unpickler.find_class)
JUDGE = """
import pickle, sys
from pathlib import Path

def refuse(*_, **__):
    raise SystemExit("something was unpickled")

def watch(event, _):
    if event == "pickle.find_class":
        refuse()

sys.addaudithook(watch)
pickle.load = pickle.loads = refuse
from fastapi.testclient import TestClient
from service.api.app import create_app
from service.settings import Settings

with TestClient(create_app(Settings(auth="off"))) as client:
    while client.get("/readyz").status_code == 503:
        pass
    for name in ("docs/samples/tusk-single.jpg", "docs/pictures/tusk-heatmap.png"):
        assert client.post("/v1/detect?heatmap=true", content=Path(name).read_bytes()).status_code == 200
    assert client.post("/v1/model:reload").status_code == 200
print("judged")
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: str) -> dict[str, str]:
    return {
        normal(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", (ROOT / file).read_text(), re.M)
    }


def names(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[<>=!~;\[ ]", text)[0]) for text in requirements}


def test_nothing_of_numpy_is_newer_than_the_lowest_that_is_allowed() -> None:
    """Blender's module keeps it at 1.26; what follows came with 2.0."""
    assert "numpy>=1.26" in PROJECT["project"]["dependencies"]
    later = re.compile(r"\bnp\.(?:bitwise_count|unique_\w+|vecdot|matrix_transpose|permute_dims|concat|pow|astype)\b")
    paths = [path for folder in ("service", "training", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]
    assert [path.name for path in paths if later.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("extra", "package", "needed"),
    [("review", "sqlalchemy", (2, 0, 42)), ("objects", "obstore", (0, 9))],  # Values.cte; archives in a bucket
)
def test_the_lowest_versions_that_are_allowed_have_what_is_used(
    extra: str, package: str, needed: tuple[int, ...]
) -> None:
    extras = PROJECT["project"]["optional-dependencies"][extra]
    (least,) = (text.partition(">=")[2] for text in extras if text.startswith(package))
    assert tuple(map(int, least.split("."))) >= needed


@pytest.mark.parametrize("file", ["requirements.lock", "requirements-build.lock"])
def test_every_locked_package_has_hashes(file: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / file).read_text().strip())
    assert entries and all(re.match(r"[\w.-]+==\S+", entry) and "--hash=sha256:" in entry for entry in entries)


def test_the_lock_covers_what_the_service_needs_and_no_more() -> None:
    locked = pins("requirements.lock")
    extras = PROJECT["project"]["optional-dependencies"]
    assert names([*PROJECT["project"]["dependencies"], *extras["review"], *extras["objects"]]) <= set(locked)
    assert names(PROJECT["build-system"]["requires"]) <= set(pins("requirements-build.lock"))
    assert not set(locked) & {"torch", "torchvision", "timm", "pytest", "mypy", "httpx", "matplotlib"}


def test_the_lock_is_what_is_tested() -> None:
    """Same versions as ``constraints.txt``, under which the tests run."""
    tested = pins("constraints.txt")
    assert {name: tested.get(name) for name in pins("requirements.lock")} == pins("requirements.lock")


def test_the_image_installs_by_hash_only() -> None:
    installs = re.findall(r"bin/pip (?:install|wheel) .*", (ROOT / "Dockerfile").read_text())
    assert len(installs) == 4
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)


def test_the_image_is_built_from_what_it_copies_and_nothing_else() -> None:
    """Keys, photos and the history of a checkout are not sent to whatever builds it."""
    copies = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*" and lines[-1] == "**/__pycache__"
    assert {line.removeprefix("!") for line in lines[1:-1]} == {name for line in copies for name in line.split()}


@pytest.mark.parametrize("path", sorted((ROOT / "service").rglob("*.py")), ids=lambda path: path.stem)
def test_nothing_that_serves_can_unpickle_or_evaluate(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & LOADERS
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in LOADERS
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec", "compile", "__import__"}
        elif isinstance(node, ast.keyword):
            assert node.arg != "allow_pickle"


def test_no_library_unpickles_on_the_way() -> None:
    done = subprocess.run([sys.executable, "-c", JUDGE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "judged" in done.stdout, done.stdout + done.stderr


def test_the_threat_model_names_real_files() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:service|tests|training|docs|deploy)/[\w/.-]+)`", text))
    assert len(named) > 40
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
