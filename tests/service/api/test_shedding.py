"""Requests that repeat a refused one, on raw sockets: refused by their bytes, as all others are."""

import asyncio
import contextlib
import itertools
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import Scope as Request
from uvicorn.server import ServerState

from service.api import shedding, turnstile
from service.api.app import create_app
from service.api.protocol import guarded
from service.api.shedding import Bytes, SheddingProtocol
from service.api.turnstile import ASKED, Asked
from service.keys.key import Scope
from service.settings import Settings
from tests.keyed import add_key, new_store
from tests.live import serving
from tests.own_time import own_time
from tests.service.api.test_connection import Wire
from tests.service.api.test_turnstile import Line, fixed

Answer = tuple[int, dict[str, str], dict[str, Any]]


@pytest.fixture(autouse=True)
def alert(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was refused a moment ago stays so for longer than any test takes."""
    monkeypatch.setattr(turnstile, "_ALERT", 3600.0)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A store, and the headers of two keys."""
    store = new_store(tmp_path_factory.mktemp("keys") / "keys.db")
    texts = [add_key(store, name, Scope.DETECT) for name in ("bulk", "pipeline")]
    return store.path, f"X-API-Key: {texts[0]}\n", f"X-API-Key: {texts[1]}\n"


@pytest.fixture(scope="module")
def app(key: tuple[Path, str, str]) -> FastAPI:
    return create_app(Settings(auth="on", keys=key[0], queue=4, read_seconds=2))


@pytest.fixture(scope="module")
def address(app: FastAPI) -> Iterator[tuple[str, int]]:
    with serving(app) as found:
        yield found


@pytest.fixture
def full(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """No place is left."""
    monkeypatch.setattr(app.state.faunalens.workers.admission._slots, "taken", 4)
    monkeypatch.setattr(app.state.faunalens, "last_refusal", time.monotonic())


@pytest.fixture
def repeated(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """An entry for each request that was refused by its bytes."""
    found: list[bool] = []
    again = SheddingProtocol._refused_again

    def watch(protocol: SheddingProtocol, data: Bytes) -> Bytes | None:
        rest = again(protocol, data)
        found.extend([True] * (rest is not None))
        return rest

    monkeypatch.setattr(SheddingProtocol, "_refused_again", watch)
    return found


@pytest.fixture
def line(address: tuple[str, int], key: tuple[Path, str, str], full: None) -> Iterator[Line]:
    """A connection that was refused once by the parser's word."""
    with contextlib.closing(socket.create_connection(address, timeout=60)) as connection:
        line = Line(connection)
        # the first time a key is seen only the door can tell
        for _ in range(2):
            line.send(key[1] + "X-Request-ID: first\n")
            assert line.answer()[2]["error"]["code"] == "overloaded"
        yield line


def test_the_same_words(line: Line, key: tuple[Path, str, str], repeated: list[bool], address: tuple[str, int]) -> None:
    with contextlib.closing(socket.create_connection(address, timeout=60)) as connection:
        other = Line(connection)
        other.send(key[1] + "X-Request-ID: mine-1\nX-Other: 1\n")
        parsed = other.answer()
    assert repeated == []
    line.send(key[1] + "X-Request-ID: mine-1\n", b"y" * 7)
    here = line.answer()
    assert repeated == [True] and here[1]["x-request-id"] == "mine-1"
    assert list(here[1]) == list(parsed[1]) and here[1]["content-length"] == parsed[1]["content-length"]
    assert fixed(here) == fixed(parsed)


def test_the_first_request_of_a_new_connection_repeats_others(
    line: Line, key: tuple[Path, str, str], repeated: list[bool], address: tuple[str, int]
) -> None:
    for headers, known in ((key[1] + "X-Request-ID: mine-0\n", True), (key[2] + "X-Unlike: others\n", False)):
        repeated.clear()
        with contextlib.closing(socket.create_connection(address, timeout=60)) as connection:
            other = Line(connection)
            for _ in range(2):
                other.send(headers)
                other.answer()
        assert repeated == [True] * 2 * known


def test_each_has_an_id_of_its_own(line: Line, key: tuple[Path, str, str], repeated: list[bool]) -> None:
    ids = set()
    for _ in range(4):
        line.send(key[1])
        ids.add(line.answer()[1]["x-request-id"])
    assert len(ids) == 4 and len(repeated) == 3 and all(re.fullmatch("[0-9a-f]{32}", name) for name in ids)


def test_they_are_counted_and_logged(
    line: Line, key: tuple[Path, str, str], repeated: list[bool], app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    registry = app.state.faunalens.metrics.registry
    route = {"method": "POST", "route": "/v1/detect", "status": "503"}

    def counts() -> list[float]:
        named = [("requests_total", route), ("failures_total", {"code": "overloaded"}),
                 ("request_seconds_count", {"route": "/v1/detect"})]  # fmt: skip
        return [registry.get_sample_value(f"faunalens_{name}", labels) for name, labels in named]

    before = counts()
    caplog.clear()
    with caplog.at_level("INFO", "faunalens.request"):
        line.send(key[1] + "X-Request-ID: mine-2\n")
        line.answer()
    assert repeated == [True] and counts() == [count + 1 for count in before]
    (fields,) = (record.__dict__["fields"] for record in caplog.records if record.name == "faunalens.request")
    total = fields.pop("total_ms")
    assert 0 <= total < 1_000 and fields == {
        "request_id": "mine-2", "method": "POST", "route": "/v1/detect", "status": 503,
        "key": key[1].split("_")[1], "code": "overloaded",
    }  # fmt: skip


def test_bodies_in_pieces_and_requests_that_come_together(
    line: Line, key: tuple[Path, str, str], repeated: list[bool]
) -> None:
    """The end of a body comes with the next head, of which the rest comes later."""
    head = f"POST /v1/detect HTTP/1.1\r\nHost: x\r\n{key[1].strip()}\r\nX-Request-ID: r%d\r\nContent-Length: %d\r\n\r\n"
    data = b"".join((head % (number, 5_000 + number)).encode() + b"x" * (5_000 + number) for number in range(8))
    ends = (0, 4_000, 7_000, 7_001, 12_345, 33_000, len(data))
    for begin, end in itertools.pairwise(ends):
        line.socket.sendall(data[begin:end])
        time.sleep(0.02)
    assert [line.answer()[1]["x-request-id"] for _ in range(8)] == [f"r{number}" for number in range(8)]
    assert len(repeated) == 8
    line.send(key[1] + "X-Request-ID: last\n")
    assert line.answer()[1]["x-request-id"] == "last"


def test_another_request_may_follow_in_the_same_bytes(
    line: Line, key: tuple[Path, str, str], repeated: list[bool]
) -> None:
    head = f"POST /v1/detect HTTP/1.1\r\nHost: x\r\n{key[1].strip()}\r\nX-Request-ID: a\r\nContent-Length: 3\r\n\r\nabc"
    line.socket.sendall(head.encode() + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" + head.encode())
    assert line.answer()[0] == 503 and repeated == [True]
    assert [line.answer()[0], line.answer()[0]] == [200, 503] and repeated == [True], "the second waits for its turn"


def test_bytes_within_another_request_are_not_taken_for_one(
    line: Line, key: tuple[Path, str, str], repeated: list[bool]
) -> None:
    head = f"POST /v1/detect HTTP/1.1\r\nHost: x\r\n{key[1].strip()}\r\nX-Request-ID: a\r\nContent-Length: 3\r\n\r\nabc"
    # within a body, then within a head
    line.send(key[1] + "X-A: b\n", b"", length=len(head))
    assert line.answer()[0] == 503
    line.socket.sendall(head.encode())
    line.send(key[1] + "X-Request-ID: b\n", b"abc")
    assert line.answer()[1]["x-request-id"] == "b"
    line.socket.sendall(b"GET /livez HTTP/1.1\r\nX-A: ")
    time.sleep(0.1)
    before = len(repeated)
    line.socket.sendall(head.encode())
    assert line.answer()[0] == 200 and len(repeated) == before


def test_who_finds_a_place_is_let_in(
    line: Line, key: tuple[Path, str, str], repeated: list[bool], app: FastAPI, tusk: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    line.send(key[1] + "X-Request-ID: a\n", tusk)
    assert line.answer()[0] == 503 and repeated == [True]
    monkeypatch.setattr(app.state.faunalens.workers.admission._slots, "taken", 0)
    line.send(key[1] + "X-Request-ID: b\n", tusk)
    answer = line.answer()
    assert "verdict" in answer[2] and answer[1]["x-request-id"] == "b" and repeated == [True]


def test_the_last_place_is_taken(
    line: Line, key: tuple[Path, str, str], repeated: list[bool], app: FastAPI, tusk: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Who is looked at twice would find itself in its place."""
    admission = app.state.faunalens.workers.admission
    line.send(key[1] + "X-Request-ID: a\n", tusk)
    assert line.answer()[0] == 503 and repeated == [True]
    monkeypatch.setattr(admission._slots, "taken", 3)
    line.send(key[1] + "X-Request-ID: b\n", tusk)
    assert "verdict" in line.answer()[2] and repeated == [True]


def test_a_newcomer_is_not_refused_for_others(
    line: Line, key: tuple[Path, str, str], repeated: list[bool], app: FastAPI, tusk: bytes,
    monkeypatch: pytest.MonkeyPatch, address: tuple[str, int],
) -> None:  # fmt: skip
    slots = app.state.faunalens.workers.admission._slots
    monkeypatch.setattr(slots, "taken", 2)
    monkeypatch.setattr(slots, "_held", {key[1].split("_")[1]: 3})
    line.send(key[1] + "X-Request-ID: a\n", tusk)
    assert line.answer()[0] == 503 and repeated == [True]
    with contextlib.closing(socket.create_connection(address, timeout=60)) as connection:
        newcomer = Line(connection)
        newcomer.send(key[2], tusk)
        assert "verdict" in newcomer.answer()[2]


def test_a_key_that_is_revoked_is_not_known_any_more(
    line: Line, key: tuple[Path, str, str], repeated: list[bool], app: FastAPI
) -> None:
    ring = app.state.faunalens.access.ring
    keys = list(ring._keys.values())
    try:
        ring.replace([held for held in keys if held.id != key[1].split("_")[1]])
        line.send(key[1] + "X-Request-ID: a\n")
        assert line.answer()[2]["error"]["code"] == "unauthenticated" and repeated == [True]
    finally:
        ring.replace(keys)


@pytest.mark.parametrize("what", ["draining", "quiet", "surplus"])
def test_what_is_out_of_the_ordinary_takes_the_common_way(
    what: str, line: Line, key: tuple[Path, str, str], repeated: list[bool], app: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if what == "surplus":
        for kind in SheddingProtocol.__subclasses__():
            for limited in kind.__subclasses__():
                monkeypatch.setattr(limited, "connections_wanted", 0)
    elif what == "draining":
        monkeypatch.setattr(app.state.faunalens, "draining", True)
    else:
        monkeypatch.setattr(app.state.faunalens, "last_refusal", -1e9)
    line.send(key[1] + "X-Request-ID: a\n")
    answer = line.answer()
    assert answer[0] == 503 and repeated == [] and (answer[1].get("connection") == "close") == (what == "draining")


def test_a_body_may_not_take_for_ever(line: Line, key: tuple[Path, str, str], repeated: list[bool]) -> None:
    line.send(key[1] + "X-Request-ID: a\n", b"x", length=1000)
    began = time.monotonic()
    assert line.answer()[0] == 503 and repeated == [True]
    assert line.socket.recv(1) == b"" and time.monotonic() - began > 1.5, "it has longer than an idle connection"


@pytest.mark.anyio
async def test_an_idle_connection_is_closed_as_long_after_the_last_request(monkeypatch: pytest.MonkeyPatch) -> None:
    own_time(monkeypatch)
    wire = Wire()
    config = uvicorn.Config(Response(), ws="none", log_config=None, timeout_keep_alive=10)
    config.load()

    def refusal(_: bytes, scope: Request) -> tuple[int, bytes]:
        scope[ASKED] = Asked("/v1/detect", {})
        return 503, b"content-length: 0\r\n\r\n"

    kind = shedding.shedding(lambda *_: (503, b"content-length: 0\r\nagain: yes\r\n\r\n"))
    protocol = guarded(1, 4096, 10, refusal, None, kind)(config, ServerState(), {}, asyncio.get_running_loop())
    protocol.connection_made(wire)
    for _ in range(4):
        protocol.data_received(b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na")
        await asyncio.sleep(6)
        assert not wire.closed
    assert wire.written.count(b" 503 ") == 4 and wire.written.count(b"again: yes") == 3
    await asyncio.sleep(3.9)
    assert not wire.closed
    await asyncio.sleep(0.2)
    assert wire.closed
    protocol.connection_lost(None)
