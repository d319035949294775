"""Fixtures: the shipped detector, a client, sample pictures of our own, and the photo collection where there is one."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from service.api.app import create_app
from service.detector import Detector
from service.settings import Settings
from tests.filled import Filled, fill
from tests.live import ready

# most tests are about something else; those about keys turn them on
os.environ.setdefault("FAUNALENS_AUTH", "off")
# a busy machine is no defect; what is looked for at random is looked for by the long runs, not where somebody lands
hypothesis.settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")
ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "docs" / "samples"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """What tests marked ``anyio`` run on."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _no_stepping_back() -> Iterator[None]:
    """Batches give way to whatever else the machine does, the other tests too: for longer than one waits for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.bulk.runner.step_back", lambda _: None)
        yield


@pytest.fixture(scope="session")
def detector() -> Detector:
    """The shipped weights."""
    return Detector(Settings())


@pytest.fixture(scope="session")
def app() -> FastAPI:
    """An application with the shipped weights."""
    return create_app(Settings(max_bytes=300_000, max_request_bytes=600_000, max_files=4))


@pytest.fixture(scope="session")
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client of a ready application."""
    with ready(app) as started:
        yield started


@pytest.fixture(scope="session")
def tusk() -> bytes:
    """A rendered tusk, JPEG."""
    return (SAMPLES / "tusk-single.jpg").read_bytes()


@pytest.fixture
def filled(tmp_path: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch) -> Filled:
    """A store with judged photos; the commands use it."""
    folder = tmp_path / "store"
    monkeypatch.setenv("FAUNALENS_STORE", str(folder))
    return fill(folder, detector)


@pytest.fixture(scope="session")
def photos() -> Path:
    """The photo collection; skips without it, fails without it where TESTS_REQUIRE_DATA is set."""
    root = Path(os.environ.get("FAUNALENS_DATA", ROOT / ".." / "shared" / "data"))
    if not (root / "manifest.csv").is_file():
        assert not os.environ.get("TESTS_REQUIRE_DATA"), f"the photo collection is missing at {root}"
        pytest.skip("no photo collection beside the repository")
    return root


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """``image`` as a file of format ``kind``."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
