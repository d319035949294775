"""Requests that break off, offer another protocol, or come two at once, on raw sockets."""

import contextlib
import re
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse

from service.api.app import create_app
from service.keys.key import Scope
from service.settings import Settings
from tests.conftest import SAMPLES
from tests.keyed import add_key, new_store
from tests.live import serving, until
from tests.service.api.test_slow_clients import closes, drip

COUNTER = re.compile(r'^faunalens_(?:failures|requests)_total\{.*?(?:code|status)="(\w+)"\} (.+)$', re.MULTILINE)
CHUNKED = b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
Served = tuple[FastAPI, tuple[str, int], dict[Scope, str]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An application, its address, and a key of each scope."""
    store = new_store(tmp_path_factory.mktemp("keys") / "keys.db")
    texts = {scope: add_key(store, scope, scope) for scope in Scope}
    app = create_app(Settings(auth="on", keys=store.path, read_seconds=4, keep_alive_seconds=60))
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


@pytest.mark.parametrize(
    ("path", "length"), [("/livez", True), ("/stream", False), ("/stream?nothing", False), ("/docs", True)]
)
def test_http_1_0_gets_no_chunks(path: str, length: bool) -> None:
    app = create_app(Settings())

    @app.get("/stream")
    async def stream(nothing: str | None = None) -> StreamingResponse:
        return StreamingResponse(iter([b"first\n", b"", b"second\n"] if nothing is None else []))

    with serving(app) as address:
        for method in (b"GET", b"HEAD"):
            with socket.create_connection(address, timeout=60) as connection:
                connection.sendall(method + b" " + path.encode() + b" HTTP/1.0\r\n\r\n")
                head, _, body = all_of(connection).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ") and b"transfer-encoding" not in head
            assert (b"content-length" in head) == length and b"connection: close" in head
            if method == b"HEAD":
                assert body == b""
            elif path == "/stream":
                assert body == b"first\nsecond\n"
            else:
                assert bool(body) == length


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other end closes."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"Content-Length: 4\r\nContent-Length: 5", b"Content-Length: 4, 4", b"Content-Length: +4",
        b"Content-Length: 0x4", b"Content-Length : 4", b"X-A: b\rContent-Length: 4", b"X-A: b\nContent-Length: 4",
        b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: \x0bchunked",
        b"X-A: b\r\n c: d", b"X-A: b\0c",
    ],
)  # fmt: skip
def test_no_request_hides_in_the_body_of_another(served: Served, lines: bytes) -> None:
    _, address, texts = served
    head = f"POST /v1/detect HTTP/1.1\r\nHost: x\r\nX-API-Key: {texts[Scope.DETECT]}\r\n".encode()
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(head + lines + b"\r\n\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        answers = connection.recv(65_536)
        assert closes(connection) and answers.count(b"HTTP/1.1 ") == 1 and b'"malformed_body"' in answers


def test_headers_after_the_body_are_not_those_of_the_request(served: Served) -> None:
    _, address, texts = served
    head = CHUNKED.replace(b"Host: x", b"Connection: close") + b"1\r\na\r\n0\r\n"
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(head + f"X-API-Key: {texts[Scope.DETECT]}\r\n\r\n".encode())
        assert b'"unauthenticated"' in connection.recv(65_536)


def test_two_refusals_at_once_leave_no_deadline_behind(served: Served) -> None:
    _, address, texts = served
    head = b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall((head + b"\r\na") * 2)
        time.sleep(4)
        connection.sendall(head + f"X-API-Key: {texts[Scope.DETECT]}\r\n\r\n".encode())
        time.sleep(2)
        connection.sendall(b"a")
        answers = b""
        while answers.count(b"HTTP/1.1 ") < 3 and (more := connection.recv(65_536)):
            answers += more
    assert answers.count(b"HTTP/1.1 401 ") == 2 and b'"unsupported_format"' in answers


def test_what_follows_a_body_is_limited_too(served: Served) -> None:
    app, address, texts = served
    head = CHUNKED.replace(b"Host: x", f"X-API-Key: {texts[Scope.DETECT]}".encode())
    for endless in (b"X-A: " + b"a" * 400_000, b"X-A: b\r\n" * 50_000):
        with socket.create_connection(address, timeout=60) as connection:
            connection.sendall(head + b"1\r\na\r\n0\r\n")
            drip(connection, endless, 0.1)
            assert closes(connection)
    assert counts(app)["headers_too_large"] == 2


def test_a_client_that_reads_nothing_and_sends_on(served: Served) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(served[1])
        connection.settimeout(60)
        with contextlib.suppress(ConnectionError):
            for _ in range(12):
                connection.sendall(b"GET /docs-assets/redoc.standalone.js HTTP/1.1\r\nHost: x\r\n\r\n")
                time.sleep(0.1)
        waits = select.poll()
        waits.register(connection, select.POLLHUP)
        assert waits.poll(30_000), "the service waits for its reader for ever"


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


def test_an_idle_connection_stays_open_as_long_as_is_set() -> None:
    request, stays = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", []
    for seconds in (1, 60):
        app = create_app(Settings(auth="off", keep_alive_seconds=seconds))
        with serving(app) as address, socket.create_connection(address, timeout=30) as connection:
            connection.sendall(request)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
            # uvicorn's own five seconds lie between
            readable, _, _ = select.select([connection], [], [], 4 if seconds == 1 else 7)
            stays.append(not readable)
    assert stays == [False, True]
