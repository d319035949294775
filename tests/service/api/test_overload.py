"""Full lines, deadlines and clients that hang up, over real HTTP."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api.app import create_app
from service.api.state import State
from service.detector import Detector
from service.keys.key import Scope
from service.settings import Settings
from tests.keyed import add_key, new_store
from tests.live import serving, until

JPEG = {"Content-Type": "image/jpeg"}


class House:
    """A server with one thread, whose pictures wait for the gate."""

    def __init__(self, state: State, address: tuple[str, int]) -> None:
        self.state = state
        self.address = address
        self.url = f"http://{address[0]}:{address[1]}"
        self.gate = threading.Event()
        self.judged = 0
        self.senders = ThreadPoolExecutor(16)

    def post(self, data: bytes, **headers: str) -> "Any":
        return self.senders.submit(
            httpx.post, f"{self.url}/v1/detect", content=data, headers={**JPEG, **headers}, timeout=120
        )

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}/{path}", timeout=120)

    def fill(self, data: bytes, requests: int) -> list[Any]:
        """That many requests, one running and the others waiting."""
        before = self.state.workers.pending
        sent = []
        for number in range(1, requests + 1):
            sent.append(self.post(data))
            until(lambda number=number: self.state.workers.pending == before + number)
        return sent

    def raw(self, head: str, body: bytes = b"") -> socket.socket:
        connection = socket.create_connection(self.address, timeout=60)
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
        return connection


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with opened(Settings(threads=1, queue=10, max_wait_ms=60_000, max_wait_ratio=1e6), monkeypatch) as made:
        yield made


@contextlib.contextmanager
def opened(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house that closes in the end, whatever still waits in it."""
    app = create_app(settings)
    with serving(app) as address:
        house = House(app.state.faunalens, address)
        house.state.workers.admission.service_seconds = 0.001
        answer = Detector.answer

        def gated(self: Detector, *arguments: Any) -> Any:
            house.judged += 1
            assert house.gate.wait(120)
            return answer(self, *arguments)

        monkeypatch.setattr(Detector, "answer", gated)
        try:
            yield house
        finally:
            house.gate.set()
            house.senders.shutdown()


def test_a_full_house_refuses_before_the_body_and_serves_who_is_inside(house: House, tusk: bytes) -> None:
    sent = house.fill(tusk, 6)
    head = "POST /v1/detect HTTP/1.1\nHost: x\nContent-Type: image/jpeg\nContent-Length: 1000000\n"
    with house.raw(head) as connection:
        reply = connection.recv(4096).decode()
    assert reply.startswith("HTTP/1.1 503") and "retry-after: 1" in reply.lower()
    error = json.loads(reply.split("\r\n\r\n", 1)[1])["error"]
    assert error["code"] == "overloaded" and error["details"]["inside"] == 6
    ready = house.get("readyz")
    assert ready.status_code == 503 and ready.json()["error"]["code"] == "overloaded"
    assert house.get("livez").status_code == 200
    house.gate.set()
    assert [reply.result().status_code for reply in sent] == [200] * 6
    assert house.judged == 6 and house.state.workers.admission.inside == 0
    assert house.get("readyz").status_code == 200
    text = house.get("metrics").text
    # what the probe was told is not among them
    assert 'faunalens_failures_total{code="overloaded"} 1.0' in text
    assert 'faunalens_requests_total{method="POST",route="/v1/detect",status="503"} 1.0' in text


def test_a_deadline_passes_in_line(house: House, tusk: bytes) -> None:
    running = house.fill(tusk, 1)
    late = house.post(tusk, **{"X-Request-Deadline-Ms": "100"}).result()
    assert late.status_code == 503 and late.json()["error"]["code"] == "deadline_exceeded"
    assert late.headers["Retry-After"] == "1"
    bad = house.post(tusk, **{"X-Request-Deadline-Ms": "soon"}).result()
    assert bad.status_code == 422 and bad.json()["error"]["code"] == "invalid_parameter"
    house.gate.set()
    assert running[0].result().status_code == 200
    assert house.judged == 1


@pytest.mark.parametrize("what", ["picture", "heat map", "files"])
def test_who_hangs_up_is_not_served(what: str, house: House, tusk: bytes) -> None:
    running = house.fill(tusk, 1)
    path, kind, body = "/v1/heatmap" if what == "heat map" else "/v1/detect", "image/jpeg", tusk
    if what == "files":
        part = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f.jpg"\r\n\r\n' + tusk + b"\r\n"
        kind, body = "multipart/form-data; boundary=x", part * 3 + b"--x--\r\n"
    head = f"POST {path} HTTP/1.1\nHost: x\nContent-Type: {kind}\nContent-Length: {len(body)}\n"
    connection = house.raw(head, body)
    until(lambda: house.state.workers.waiting == 1)
    connection.close()
    until(lambda: house.state.workers.waiting == 0)
    until(lambda: house.state.workers.admission.inside == 1)
    house.gate.set()
    assert running[0].result().status_code == 200
    assert house.judged == 1
    assert 'faunalens_failures_total{code="client_gone"} 1.0' in house.get("metrics").text


def test_a_large_multipart_request_takes_its_turn_file_by_file(house: House, tusk: bytes) -> None:
    files = [("file", (f"{number}.jpg", tusk)) for number in range(8)]
    bulk = house.senders.submit(
        httpx.post, f"{house.url}/v1/detect", files=files, timeout=120, headers={"X-Request-Deadline-Ms": "30000"}
    )
    until(lambda: house.judged == 1)
    single = house.fill(tusk, 1)[0]
    house.gate.set()
    assert single.result().status_code == 200
    body = bulk.result().json()
    assert len(body["results"]) == 8 and body["failures"] == []
    # the single picture was judged second or third, not ninth
    assert single.result().json()["judged_at"] < body["results"][2]["judged_at"]


def test_files_left_at_the_deadline_are_listed(house: House, tusk: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [("file", (f"{number}.jpg", tusk)) for number in range(3)]
    bulk = house.senders.submit(httpx.post, f"{house.url}/v1/detect", files=files, timeout=120)
    until(lambda: house.judged == 1)
    later = time.monotonic() + house.state.settings.deadline_ms / 1e3
    monkeypatch.setattr(house.state.workers.admission, "clock", lambda: later)
    house.gate.set()
    body = bulk.result().json()
    assert [result["file"] for result in body["results"]] == ["0.jpg"]
    assert [failure["error"]["code"] for failure in body["failures"]] == ["deadline_exceeded"] * 2


def test_a_bulk_key_starves_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tusk: bytes) -> None:
    store = new_store(tmp_path / "keys.db")
    bulk, pipeline = (add_key(store, name, Scope.DETECT) for name in ("bulk", "pipeline"))
    settings = Settings(auth="on", keys=store.path, threads=1, max_wait_ms=60_000, max_wait_ratio=4)
    with opened(settings, monkeypatch) as house:
        sent = []
        while house.state.workers.waiting < 4:
            sent.append(house.post(tusk, **{"X-API-Key": bulk}))
            until(lambda: house.state.workers.pending == len(sent))
        assert house.post(tusk, **{"X-API-Key": bulk}).result().status_code == 503
        other = house.post(tusk, **{"X-API-Key": pipeline})
        until(lambda: house.state.workers.waiting == 5)
        house.gate.set()
        assert other.result().status_code == 200
        assert [reply.result().status_code for reply in sent] == [200] * 5
        times = sorted(reply.result().json()["judged_at"] for reply in sent)
        # one was running and one had its turn before the newcomer
        assert times[1] < other.result().json()["judged_at"] < times[2]
