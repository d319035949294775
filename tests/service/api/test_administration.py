import asyncio
import hashlib
import json
import shutil
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.api import rules
from service.api.app import create_app
from service.api.signals import reload_on_hangup
from service.detector import DEFAULT_MODEL, shipped_weights
from service.keys.key import Scope
from service.settings import Settings
from tests.live import ready, until
from tests.models import second_model


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shipped model, a second one, and the link ``current.json``."""
    folder = tmp_path_factory.mktemp("weights")
    for file in shipped_weights().glob("faunalens-2-int8.*"):
        shutil.copy(file, folder)
    second_model(folder)
    return folder


@pytest.fixture
def application(shelf: Path) -> FastAPI:
    turn(shelf, DEFAULT_MODEL)
    return create_app(Settings(model=shelf / "current.json"))


@pytest.fixture
def swapping(application: FastAPI) -> Iterator[TestClient]:
    with ready(application) as client:
        yield client


def turn(shelf: Path, target: str) -> None:
    link = shelf / "next"
    link.symlink_to(target)
    link.replace(shelf / "current.json")


def test_new_weights_go_live(swapping: TestClient, shelf: Path, tusk: bytes) -> None:
    before = swapping.post("/v1/detect", content=tusk).json()
    turn(shelf, "second.json")
    response = swapping.post("/v1/model:reload")
    assert response.status_code == 200
    assert response.json()["previous"] == before["model"]
    after = swapping.post("/v1/detect", content=tusk).json()
    assert after["model"] == response.json()["model"] != before["model"]
    assert all(after["scores"][category] > score for category, score in before["scores"].items())
    text = swapping.get("/metrics").text
    assert f'faunalens_model{{name="second",sha256="{after["model"]["sha256"]}"}} 1.0' in text
    assert before["model"]["sha256"] not in text
    assert 'faunalens_reloads_total{outcome="done"} 1.0' in text


def broken_bytes(folder: Path) -> None:
    network = folder / "second.onnx"
    network.write_bytes(network.read_bytes()[:-9])


def broken_self_test(folder: Path) -> None:
    path = folder / "second.json"
    contract = json.loads(path.read_text())
    contract["selftest"]["probabilities"]["ivory"] = 0.123
    path.write_text(json.dumps(contract))


def broken_contract(folder: Path) -> None:
    (folder / "second.json").write_text("{")


def no_contract(folder: Path) -> None:
    (folder / "second.json").unlink()


def no_network(folder: Path) -> None:
    (folder / "second.onnx").unlink()


def folder_for_network(folder: Path) -> None:
    (folder / "second.onnx").unlink()
    (folder / "second.onnx").mkdir()


def broken_picture(folder: Path) -> None:
    picture = folder / "second.png"
    picture.write_bytes(picture.read_bytes()[:-5000])


def no_picture(folder: Path) -> None:
    (folder / "second.png").unlink()


def not_a_network(folder: Path) -> None:
    (folder / "second.onnx").write_bytes(b"not an ONNX file")
    path = folder / "second.json"
    sha256 = hashlib.sha256(b"not an ONNX file").hexdigest()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": sha256}))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (broken_bytes, "SHA-256"), (broken_self_test, "self-test failed"), (broken_contract, "not valid"),
        (no_contract, "no model contract"), (no_network, "missing"), (folder_for_network, "cannot be read"),
        (not_a_network, "onnxruntime cannot use"), (broken_picture, "cannot be judged"), (no_picture, "picture"),
    ],
)  # fmt: skip
def test_a_bad_model_is_rejected_and_the_old_one_stays(
    damage: object, reason: str, swapping: TestClient, shelf: Path, tmp_path: Path, tusk: bytes
) -> None:
    before = swapping.post("/v1/detect", content=tusk).json()
    second_model(tmp_path)
    damage(tmp_path)  # type: ignore[operator]
    turn(shelf, str(tmp_path / "second.json"))
    response = swapping.post("/v1/model:reload")
    assert (response.status_code, response.json()["error"]["code"]) == (422, "model_rejected")
    assert reason in response.json()["error"]["details"]["reason"]
    after = swapping.post("/v1/detect", content=tusk).json()
    assert (after["model"], after["scores"]) == (before["model"], before["scores"])
    assert swapping.get("/readyz").status_code == 200


def test_files_that_change_under_a_running_service_change_nothing(
    swapping: TestClient, shelf: Path, tusk: bytes
) -> None:
    before = swapping.post("/v1/detect", content=tusk).json()
    network = shelf / "faunalens-2-int8.onnx"
    kept = network.read_bytes()
    try:
        network.write_bytes(bytes(1000))
        assert swapping.post("/v1/detect", content=tusk).json()["scores"] == before["scores"]
        network.unlink()
        assert swapping.post("/v1/detect", content=tusk).json()["scores"] == before["scores"]
    finally:
        network.write_bytes(kept)


def test_one_reload_at_a_time(application: FastAPI) -> None:
    state = application.state.faunalens

    async def twice() -> list[BaseException | None]:
        await state.load()
        return await asyncio.gather(state.reload(), state.reload(), return_exceptions=True)

    first, second = asyncio.run(twice())
    assert first is None and getattr(second, "code", None) is not None
    assert second.code.code == "reload_running"  # type: ignore[union-attr]
    state.close()


def test_the_event_loop_does_not_free_the_old_model(application: FastAPI) -> None:
    state, freed_by = application.state.faunalens, list[str]()

    async def once() -> None:
        await state.load()
        old = state.detector
        for part in (old.classifier, old.decoders):
            weakref.finalize(part, lambda: freed_by.append(threading.current_thread().name))
        await state.reload()
        del part, old
        await asyncio.to_thread(until, lambda: len(freed_by) == 2)

    asyncio.run(once())
    assert set(freed_by) == {"freeing"}, "networks and processes take long to free"
    state.close()


def test_not_before_the_first_model(tmp_path: Path) -> None:
    with TestClient(create_app(Settings(model=tmp_path / "none.json"))) as client:
        until(lambda: client.app.state.faunalens.failure)
        assert client.post("/v1/model:reload").json()["error"]["code"] == "not_ready"


def test_the_clock_may_jump(swapping: TestClient, tusk: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = iter([0.0, 1e9, -1e9, 4e9] * 1000)
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    for _ in range(4):
        timing = swapping.post("/v1/detect", content=tusk).json()["timing_ms"]
        assert all(0 <= value < 60_000 for value in timing.values())
    assert swapping.get("/readyz").status_code == 200


def test_it_needs_the_scope_admin() -> None:
    assert rules.scopes_for("/v1/model:reload") == {Scope.ADMIN}


def test_a_hangup_that_comes_too_early_is_in_the_log(application: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    async def hang_up() -> None:
        reload_on_hangup(application.state.faunalens)
        signal.raise_signal(signal.SIGHUP)
        said = "SIGHUP does nothing: The model is still being loaded."
        await asyncio.to_thread(until, lambda: said in caplog.text)

    asyncio.run(hang_up())
