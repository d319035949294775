import asyncio
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry, generate_latest

from service.answer import Answer
from service.api.app import create_app
from service.detector import Detector
from service.runtime.workers import Workers
from service.settings import Settings
from service.shadow import Shadow
from service.telemetry.metrics import ShadowMetrics
from tests.conftest import SAMPLES
from tests.live import Photo, ready, until
from tests.models import second_model

GRAVE = ("review", "priority")


def value(text: str, line: str) -> float:
    found = [entry.rsplit(" ", 1)[1] for entry in text.splitlines() if entry.startswith(line + " ")]
    return float(found[0]) if found else 0.0


def text_with(client: TestClient, line: str, least: float) -> str:
    """The metrics, once ``line`` has reached ``least``."""
    until(lambda: value(client.get("/metrics").text, line) >= least)
    return client.get("/metrics").text


@pytest.fixture(scope="module")
def shadowed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    other = second_model(tmp_path_factory.mktemp("shadow"), shift=6.0)
    app = create_app(Settings(shadow_model=other, shadow_share=1.0))
    with TestClient(app, raise_server_exceptions=False) as client:
        until(lambda: app.state.faunalens.shadow)
        yield client


def test_the_shadow_changes_no_answer_and_reports_disagreement(
    shadowed: TestClient, detector: Detector, caplog: pytest.LogCaptureFixture
) -> None:
    bananas = (SAMPLES / "bananas.jpg").read_bytes()
    plain = detector.answer(bananas, "r", detector.policy("sensitive"))
    with caplog.at_level(logging.INFO, "faunalens.shadow"):
        answer = shadowed.post("/v1/detect?policy=sensitive", content=bananas, headers={"X-Request-ID": "r-1"}).json()
        text = text_with(shadowed, 'faunalens_shadow_pictures_total{outcome="judged"}', 1)
    assert answer["scores"] == plain.scores and answer["model"]["sha256"] == plain.model.sha256
    assert answer["verdict"] == "clear"
    assert sum(value(text, f'faunalens_shadow_verdicts_total{{live="clear",shadow="{v}"}}') for v in GRAVE) == 1
    assert value(text, 'faunalens_shadow_difference_count{category="ivory"}') == 1
    assert value(text, 'faunalens_shadow_difference_sum{category="ivory"}') > 0
    assert "request r-1: clear by" in caplog.text


def test_a_shadow_that_breaks_before_a_reload_stays_as_it_was(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = second_model(tmp_path)
    app = create_app(Settings(shadow_model=other, shadow_share=1.0))
    with TestClient(app, raise_server_exceptions=False) as client:
        until(lambda: app.state.faunalens.shadow)
        shadow = app.state.faunalens.shadow
        other.write_text("{")
        assert client.post("/v1/model:reload").status_code == 200
        assert app.state.faunalens.shadow is shadow
    assert "the old shadow model stays: " in caplog.text and "no shadow model" not in caplog.text


def test_a_reload_takes_the_new_shadow_and_stops_the_old(tmp_path: Path) -> None:
    other = second_model(tmp_path)
    app = create_app(Settings(shadow_model=other, shadow_share=1.0))
    with TestClient(app, raise_server_exceptions=False) as client:
        until(lambda: app.state.faunalens.shadow)
        old = app.state.faunalens.shadow
        second_model(tmp_path, shift=2.0)
        assert client.post("/v1/model:reload").status_code == 200
        new = app.state.faunalens.shadow
        biases = [shadow.detector.contract.categories[0].calibration.bias for shadow in (old, new)]
        assert biases[1] - biases[0] == pytest.approx(1.0)
        until(lambda: not old._thread.is_alive())


def test_it_steps_back_while_pictures_wait(shadowed: TestClient, tusk: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped = 'faunalens_shadow_pictures_total{outcome="dropped"}'
    before = value(shadowed.get("/metrics").text, dropped)
    monkeypatch.setattr(Workers, "waiting", 1)
    assert shadowed.post("/v1/detect", content=tusk).status_code == 200
    text_with(shadowed, dropped, before + 1)


def test_it_judges_by_the_policy_of_the_answer(detector: Detector) -> None:
    registry, chips = CollectorRegistry(), (SAMPLES / "wood-chips.jpg").read_bytes()
    shadow = Shadow(detector, 1.0, lambda: False, ShadowMetrics(registry))
    answers = [detector.answer(chips, "r", detector.policy(name)) for name in ("default", "sensitive")]
    verdicts = [answer.verdict for answer in answers]
    for answer in answers:
        asyncio.run(shadow.offer(chips, answer))
    judged = 'faunalens_shadow_pictures_total{outcome="judged"}'
    until(lambda: value(generate_latest(registry).decode(), judged) == 2)
    shadow.close()
    text = generate_latest(registry).decode()
    assert verdicts[0] == "clear" != verdicts[1]
    for verdict in verdicts:
        assert value(text, f'faunalens_shadow_verdicts_total{{live="{verdict}",shadow="{verdict}"}}') == 1


def test_a_broken_shadow_stops_nothing(tmp_path: Path, tusk: bytes, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(Settings(shadow_model=tmp_path / "none.json", shadow_share=1.0))
    with caplog.at_level(logging.ERROR, "faunalens"), ready(app) as client:
        assert client.post("/v1/detect", content=tusk).status_code == 200
    assert "no shadow model: no model contract" in caplog.text
    assert "FAUNALENS_MODEL" not in caplog.text


class Slow:
    """Stands in for a detector: waits for the gate; notes the priority of its thread."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.calls = 0
        self.nice: int | None = None

    def policy(self, name: str) -> str:
        return name

    def answer(self, data: bytes, request_id: str, policy: str) -> Answer:
        self.nice = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        self.calls += 1
        assert self.gate.wait(60)
        raise RuntimeError("a bug in the shadow")


def test_it_drops_rather_than_waits(detector: Detector, tusk: bytes) -> None:
    registry, slow, busy = CollectorRegistry(), Slow(), False
    shadow = Shadow(slow, 1.0, lambda: busy, ShadowMetrics(registry))  # type: ignore[arg-type]
    answer = detector.answer(tusk, "r", detector.policy(None))
    busy = True
    asyncio.run(shadow.offer(tusk, answer))
    assert slow.calls == 0
    busy = False
    for _ in range(20):
        asyncio.run(shadow.offer(tusk, answer))
    until(lambda: slow.calls)
    assert shadow._queue.qsize() <= 4, "photos that wait are in memory"
    busy = True
    slow.gate.set()
    until(shadow._queue.empty)
    shadow.close()
    shadow._thread.join(10)
    text = generate_latest(registry).decode()
    assert value(text, 'faunalens_shadow_pictures_total{outcome="dropped"}') == 20
    assert value(text, 'faunalens_shadow_pictures_total{outcome="failed"}') == slow.calls == 1
    assert slow.nice == 19 and not shadow._thread.is_alive()


def test_no_photo_outlives_its_turn(detector: Detector, tusk: bytes) -> None:
    photo, answer = Photo(tusk), detector.answer(tusk, "r", detector.policy(None))
    stand_in = SimpleNamespace(policy=detector.policy, answer=lambda *_: answer)
    shadow = Shadow(stand_in, 1.0, lambda: False, ShadowMetrics(CollectorRegistry()))  # type: ignore[arg-type]
    asyncio.run(shadow.offer(photo, answer))  # type: ignore[arg-type]
    gone = photo.gone
    del photo
    until(gone, seconds=30)
    shadow.close()
    shadow._thread.join(10)


def test_where_niceness_is_a_process_no_other_one_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("os.setpriority", lambda *_: pytest.fail("another process was touched"))
    shadow = Shadow(Slow(), 1.0, lambda: False, ShadowMetrics(CollectorRegistry()))  # type: ignore[arg-type]
    shadow.close()
    shadow._thread.join(10)
    assert not shadow._thread.is_alive()


def test_no_share_no_work(detector: Detector, tusk: bytes) -> None:
    slow = Slow()
    shadow = Shadow(slow, 0.0, lambda: False, ShadowMetrics(CollectorRegistry()))  # type: ignore[arg-type]
    answer = detector.answer(tusk, "r", detector.policy(None))
    for _ in range(50):
        asyncio.run(shadow.offer(tusk, answer))
    shadow.close()
    shadow._thread.join(10)
    assert slow.calls == 0
