"""Refusals from the head alone: the same words as the application's, and a connection that goes on."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from service.api import turnstile
from service.api.app import create_app
from service.api.turnstile import Turnstile
from service.keys.key import Scope
from service.settings import Settings
from tests.keyed import add_key, new_store
from tests.live import serving, until

CHANGING = {"date", "x-request-id", "content-length"}
# the protocol leaves to the application what expects an interim answer
ASIDE = "Expect: 100-continue\n"
NOT_HERE = f"X-API-Key: fl_{'0' * 12}_{'x' * 43}\n"


@pytest.fixture(autouse=True)
def alert(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was refused a moment ago stays so for longer than any test takes."""
    assert turnstile._ALERT == 1.0, "as the module says"
    monkeypatch.setattr(turnstile, "_ALERT", 3600.0)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    store = new_store(tmp_path_factory.mktemp("keys") / "keys.db")
    texts = {
        "free": add_key(store, "free", Scope.DETECT),
        "slow": add_key(store, "slow", Scope.DETECT, rate=0.001),
        "other": add_key(store, "other", Scope.ADMIN),
    }
    return store.path, {name: f"X-API-Key: {text}\n" for name, text in texts.items()}


@pytest.fixture(scope="module")
def app(keys: tuple[Path, dict[str, str]]) -> FastAPI:
    return create_app(Settings(auth="on", keys=keys[0], queue=2, read_seconds=2, cors_origins="https://a.test"))


@pytest.fixture(scope="module")
def address(app: FastAPI) -> Iterator[tuple[str, int]]:
    with serving(app) as found:
        yield found


@pytest.fixture
def full(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """No place is left."""
    monkeypatch.setattr(app.state.faunalens.workers.admission._slots, "taken", 2)
    monkeypatch.setattr(app.state.faunalens, "last_refusal", time.monotonic())


@pytest.fixture
def line(address: tuple[str, int]) -> Iterator["Line"]:
    with contextlib.closing(socket.create_connection(address, timeout=60)) as connection:
        yield Line(connection)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """An entry for each request that was refused by its head."""
    looked: list[bool] = []
    refused = Turnstile._refused

    def watch(*arguments: Any) -> tuple[int, bytes]:
        looked.append(True)
        return refused(*arguments)

    monkeypatch.setattr(Turnstile, "_refused", watch)
    return looked


class Line:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.data = b""

    def send(self, headers: str, body: bytes = b"x" * 100, path: str = "/v1/detect", length: int | None = None) -> None:
        head = f"POST {path} HTTP/1.1\nHost: x\n{headers}Content-Length: {len(body) if length is None else length}\n\n"
        self.socket.sendall(head.replace("\n", "\r\n").encode() + body)

    def answer(self) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Status, headers and JSON of the next response."""
        while b"\r\n\r\n" not in self.data:
            self._more()
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        length = int(headers["content-length"])
        while len(self.data) < length:
            self._more()
        body, self.data = self.data[:length], self.data[length:]
        return int(first.split()[1]), headers, json.loads(body)

    def _more(self) -> None:
        self.data += self.socket.recv(65_536) or pytest.fail(f"closed: {self.data!r}")


def fixed(answer: tuple[int, dict[str, str], dict[str, Any]]) -> tuple[int, dict[str, str], dict[str, Any]]:
    """An answer without what differs each time."""
    status, headers, body = answer
    assert body["error"].pop("request_id") == headers["x-request-id"]
    return status, {name: value for name, value in headers.items() if name not in CHANGING}, body


@pytest.mark.parametrize("path", ["/v1/detect", "/v1/heatmap?category=ivory"])
@pytest.mark.parametrize(
    ("who", "more", "code"),
    [("free", "", "overloaded"), ("", "", "unauthenticated"), (NOT_HERE, "", "unauthenticated"),
     ("free", "X-Request-Deadline-Ms: soon\n", "invalid_parameter"), ("slow", "", "rate_limited")],
)  # fmt: skip
def test_the_same_words(
    who: str, more: str, code: str, path: str, line: Line, keys: tuple[Path, dict[str, str]],
    full: None, seen: list[bool], app: FastAPI, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    state = app.state.faunalens
    moment = time.monotonic()
    monkeypatch.setattr(state.access.allowances, "_clock", lambda: moment)
    if who == "slow":
        (key,) = (key for key in state.access.store.all_keys() if key.name == "slow")
        state.access.allowances._count(key, 1)
    headers = keys[1].get(who, who) + more
    if who in keys[1]:
        # the first time a key is seen only the door can tell
        line.send(headers + ASIDE, path=path)
        line.answer()
    seen.clear()
    line.send(headers, path=path)
    here = fixed(line.answer())
    assert here[2]["error"]["code"] == code and seen == [True]
    line.send(headers + ASIDE, path=path)
    assert fixed(line.answer()) == here and seen == [True]


def test_nobody_is_looked_at_until_somebody_was_refused(
    line: Line, keys: tuple[Path, dict[str, str]], full: None, seen: list[bool], app: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(app.state.faunalens, "last_refusal", time.monotonic() - 3600.1)
    for looked in ([], [True]):
        line.send(keys[1]["free"])
        assert (line.answer()[0], seen) == (503, looked)


def test_what_only_the_application_can_tell(
    line: Line, keys: tuple[Path, dict[str, str]], full: None, seen: list[bool], app: FastAPI
) -> None:
    line.send(keys[1]["free"])
    assert line.answer()[0] == 503
    seen.clear()
    for headers, path, status in (
        # before it is known, and then
        (keys[1]["other"], "/v1/detect", 403), (keys[1]["other"], "/v1/detect", 403),
        (keys[1]["free"][:-3] + "aa\n", "/v1/detect", 401),
        (keys[1]["free"], "/v1/%64etect", 503), (keys[1]["free"] + "Origin: https://a.test\n", "/v1/detect", 503),
        (keys[1]["free"], "/v1/categories", 405),
    ):  # fmt: skip
        line.send(headers, path=path)
        answer = line.answer()
        assert (answer[0], seen) == (status, []), (headers, path)
        assert ("access-control-allow-origin" in answer[1]) == ("Origin" in headers)
    line.send(keys[1]["free"] + "Connection: close\n")
    assert line.answer()[0] == 503 and line.socket.recv(1) == b"" and seen == []


def test_a_look_takes_neither_a_place_nor_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turnstile, "_MOMENT", -1.0)
    store = new_store(tmp_path / "keys.db")
    text = add_key(store, "pipeline", Scope.DETECT, rate=0.001, burst=1, quota=1)
    state = create_app(Settings(auth="on", keys=store.path, queue=2)).state.faunalens
    key = asyncio.run(state.access.ring.identify(text))
    scope = {"type": "http", "method": "POST", "headers": [(b"x-api-key", text.encode())], "client": ("192.0.2.1", 5)}
    state.last_refusal = since = time.monotonic()
    watched = Turnstile(state)
    assert [watched.refusal(b"/v1/detect", dict(scope)) for _ in range(3)] == [None] * 3
    assert state.workers.admission.inside == state.access.allowances.used(key.id) == 0 and state.last_refusal == since
    state.access.allowances.take(key)
    status, rest = watched.refusal(b"/v1/detect", dict(scope)) or (0, b"")
    assert status == 429 and b"quota_exceeded" in rest
    assert state.last_refusal > since, "the next ones are looked at as well"


def test_one_free_place_is_not_found_by_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is let through joins the line a moment later; who comes meanwhile would be refused by the framework."""
    state = create_app(Settings(auth="off", queue=64, threads=2)).state.faunalens
    now = [time.monotonic()]
    monkeypatch.setattr(turnstile.time, "monotonic", lambda: now[0])
    state.last_refusal = now[0]
    watched = Turnstile(state)

    def let_in(client: str) -> int:
        scope = {"type": "http", "method": "POST", "headers": [], "client": (client, 5)}
        return sum(watched.refusal(b"/v1/detect", dict(scope)) is None for _ in range(12))

    # two run, and three rounds wait
    assert let_in("192.0.2.1") == 8 and let_in("192.0.2.1") == 0
    assert let_in("192.0.2.2") == 8, "another client's are not counted"
    now[0] += 0.0051
    assert let_in("192.0.2.1") == 8, "what has joined meanwhile is in the line"


@pytest.mark.parametrize(("proxies", "refused"), [("", True), ("192.0.2.1", False)])
def test_who_comes_through_a_proxy_is_not_taken_for_the_proxy(proxies: str, refused: bool) -> None:
    """Heads are read before uvicorn puts the client's address in the place of the proxy's."""
    state = create_app(Settings(auth="off-and-exposed", queue=8, trusted_proxies=proxies)).state.faunalens
    state.last_refusal = time.monotonic()
    for _ in range(5):
        state.workers.admission.enter("192.0.2.1", 30)
    scope = {"type": "http", "method": "POST", "headers": [], "client": ("192.0.2.1", 5)}
    assert (Turnstile(state).refusal(b"/v1/detect", scope) is not None) == refused


@pytest.mark.parametrize("what", ["nothing", "method", "draining", "tracing"])
def test_what_is_out_of_the_ordinary_is_left_to_the_application(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state = create_app(Settings(auth="off", queue=2)).state.faunalens
    state.last_refusal = time.monotonic()
    for flow in "ab":
        state.workers.admission.enter(flow, 30)
    if what in ("draining", "tracing"):
        monkeypatch.setattr(state, what, True)
    method = "GET" if what == "method" else "POST"
    scope = {"type": "http", "method": method, "headers": [], "client": ("192.0.2.1", 5)}
    assert (Turnstile(state).refusal(b"/v1/detect", scope) is not None) == (what == "nothing")


def test_of_a_header_that_comes_twice_the_first_counts_as_at_the_door() -> None:
    state = create_app(Settings(auth="off")).state.faunalens
    state.last_refusal = time.monotonic()
    for first, refused in ((b"soon", True), (b"5", False)):
        both = [(b"x-request-deadline-ms", value) for value in (first, b"5" if refused else b"soon")]
        scope = {"type": "http", "method": "POST", "headers": both, "client": ("192.0.2.1", 5)}
        assert (Turnstile(state).refusal(b"/v1/detect", scope) is not None) == refused


def test_refusals_are_counted_and_logged(
    line: Line, keys: tuple[Path, dict[str, str]], full: None, seen: list[bool], app: FastAPI,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    registry = app.state.faunalens.metrics.registry
    route = {"method": "POST", "route": "/v1/detect", "status": "503"}

    def counts() -> tuple[float, float]:
        requests = registry.get_sample_value("faunalens_requests_total", route)
        return requests, registry.get_sample_value("faunalens_failures_total", {"code": "overloaded"})

    line.send(keys[1]["free"])
    line.answer()
    before = counts()
    caplog.clear()
    with caplog.at_level("INFO", "faunalens.request"):
        line.send(keys[1]["free"] + "X-Request-ID: mine-1\n")
        assert line.answer()[1]["x-request-id"] == "mine-1"
    assert counts() == (before[0] + 1, before[1] + 1)
    (fields,) = (record.__dict__["fields"] for record in caplog.records if record.name == "faunalens.request")
    key_id = keys[1]["free"].split("_")[1]
    wanted = {"request_id": "mine-1", "method": "POST", "route": "/v1/detect", "status": 503, "key": key_id}
    assert fields.items() >= {**wanted, "code": "overloaded"}.items()


def test_the_connection_goes_on_and_bodies_are_thrown_away(
    line: Line, keys: tuple[Path, dict[str, str]], full: None, seen: list[bool], tusk: bytes
) -> None:
    for _ in range(3):
        line.send(keys[1]["free"], tusk)
    for _ in range(3):
        assert line.answer()[2]["error"]["code"] == "overloaded"
    # a head that arrives with the end of a refused body
    line.send(keys[1]["free"], b"x" * 10, length=len(tusk))
    assert line.answer()[0] == 503
    rest = b"x" * (len(tusk) - 10)
    line.socket.sendall(rest + b"POST /v1/model:reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    assert line.answer()[2]["error"]["code"] == "unauthenticated"


def test_a_refused_body_may_not_take_for_ever(line: Line, keys: tuple[Path, dict[str, str]], full: None) -> None:
    line.send(keys[1]["free"], b"x", length=1000)
    assert line.answer()[0] == 503
    assert line.socket.recv(1) == b""


def test_answers_keep_the_order_of_the_requests(
    line: Line, keys: tuple[Path, dict[str, str]], app: FastAPI, tusk: bytes,
    monkeypatch: pytest.MonkeyPatch, seen: list[bool],
) -> None:  # fmt: skip
    """The second request is sent while the first is still being judged."""
    admission = app.state.faunalens.workers.admission
    line.send(keys[1]["free"], tusk[:-1], length=len(tusk))
    until(lambda: admission.inside == 1)
    monkeypatch.setattr(admission._slots, "most", 1)
    line.socket.sendall(tusk[-1:])
    line.send(keys[1]["free"], tusk)
    answers = [line.answer()[2] for _ in range(2)]
    assert "verdict" in answers[0]
