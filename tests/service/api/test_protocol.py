"""A body that breaks off under a request which the application has begun: one answer, one count, one line.

A request that offers another protocol: its body."""

import re
import socket
from collections import Counter
from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from service.api.app import create_app
from service.keys import Scope, new_key
from service.keystore import KeyStore
from service.settings import Settings
from tests.conftest import SAMPLES
from tests.live import serving, until

COUNTER = re.compile(r'^faunalens_(?:failures|requests)_total\{.*?(?:code|status)="(\w+)"\} (.+)$', re.MULTILINE)
Served = tuple[FastAPI, tuple[str, int], dict[Scope, str]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An application, its address, and a key of each scope."""
    store = KeyStore(tmp_path_factory.mktemp("keys") / "keys.db")
    store.create_file()
    texts = {}
    for scope in Scope:
        texts[scope], key = new_key(scope, frozenset({scope}), "2026-01-01T00:00:00+00:00")
        store.add(key)
    app = create_app(Settings(auth="on", keys=store.path))
    with serving(app) as address:
        yield app, address, texts


def counts(app: FastAPI) -> Counter[str]:
    """Refusals by code, and requests by status."""
    found = COUNTER.findall(app.state.faunalens.metrics.text().decode())
    return sum((Counter({name: int(float(count))}) for name, count in found), Counter[str]())


@pytest.mark.parametrize("scope", [Scope.DETECT, Scope.REVIEW])
@pytest.mark.parametrize("chunk", [b"", b"3\r\nabc\r\n"])
def test_a_body_that_breaks_is_refused_and_counted_once(
    served: Served, chunk: bytes, scope: Scope, caplog: pytest.LogCaptureFixture
) -> None:
    app, address, texts = served
    before = counts(app)
    head = f"POST /v1/detect HTTP/1.1\r\nHost: x\r\nX-API-Key: {texts[scope]}\r\n"
    with caplog.at_level("INFO", "faunalens.request"), socket.create_connection(address, timeout=60) as connection:
        connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"not hex\r\n")
        answer = connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 400 ") and b'"malformed_body"' in answer
        assert connection.recv(65_536) == b""
        until(lambda: any(record.name == "faunalens.request" for record in caplog.records))
    assert counts(app) - before == {"malformed_body": 1, "400": 1}
    (line,) = (record.__dict__["fields"] for record in caplog.records if record.name == "faunalens.request")
    assert (line["status"], line["code"]) == (400, "malformed_body")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("pieces", [1, 50])
def test_a_request_that_offers_another_protocol_keeps_its_body(served: Served, version: str, pieces: int) -> None:
    _, address, texts = served
    picture = (SAMPLES / "bananas.jpg").read_bytes()
    head = (
        f"POST /v1/detect HTTP/{version}\r\nHost: x\r\nX-API-Key: {texts[Scope.DETECT]}\r\n"
        f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent-Length: {len(picture)}\r\n\r\n"
    ).encode()
    size = len(head) // pieces
    with socket.create_connection(address, timeout=60) as connection:
        for start in range(0, len(head), size):
            connection.sendall(head[start : start + size])
        connection.sendall(picture)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
