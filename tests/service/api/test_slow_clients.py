"""Raw sockets against the real server process."""

import json
import re
import select
import socket
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api.headers import SECURITY
from service.server import configure
from service.settings import Settings
from tests.live import until
from tests.process import running

HEAD = b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A service with short deadlines."""
    with running(
        FAUNALENS_READ_SECONDS="2", FAUNALENS_BODY_SECONDS="4", FAUNALENS_MAX_HEAD_BYTES="4096",
        FAUNALENS_MAX_BYTES="300000", FAUNALENS_DRAIN_SECONDS="0",
    ) as (chosen, _):  # fmt: skip
        yield chosen


@pytest.fixture(scope="module")
def patient_port() -> Iterator[int]:
    """A service that holds at most 400 kB of bodies, and waits long for them."""
    with running(
        FAUNALENS_READ_SECONDS="120", FAUNALENS_BODY_SECONDS="240", FAUNALENS_MAX_BYTES="300000",
        FAUNALENS_MAX_HELD_BYTES="400000", FAUNALENS_DRAIN_SECONDS="0",
    ) as (chosen, _):  # fmt: skip
        yield chosen


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def answer(connection: socket.socket) -> tuple[int, str]:
    """Status and error code of the next response; the connection may close after it."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536) or pytest.fail(f"closed without an answer: {data!r}")
    head, body = data.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length:")[1].split()[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return int(head.split()[1]), json.loads(body[:length]).get("error", {}).get("code", "")


def closes(connection: socket.socket) -> bool:
    connection.settimeout(60)
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def drip(connection: socket.socket, piece: bytes, gap: float) -> None:
    """Send ``piece`` again and again until something comes back or the connection is closed: a minute at most."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            connection.sendall(piece)
        except OSError:
            return
        if select.select([connection], [], [], gap)[0]:
            return
    raise AssertionError("it may drip for ever")


def test_a_head_that_never_ends(port: int) -> None:
    with connect(port) as silent, connect(port) as dripping:
        dripping.sendall(b"GET /livez HTTP/1.1\r\n")
        drip(dripping, b"X-A: b\r\n", 0.2)
        assert answer(silent) == (408, "request_timeout") and closes(silent)
        assert answer(dripping) == (408, "request_timeout") and closes(dripping)


def test_a_second_head_that_never_ends(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(connection) == (200, "")
        connection.sendall(b"GET /livez HT")
        assert answer(connection) == (408, "request_timeout")


def test_a_head_that_is_too_large(port: int) -> None:
    for head in (b"GET /livez HTTP/1.1\r\n" + b"X-A: b\r\n" * 2_000, b"GET /" + b"x" * 9_000):
        with connect(port) as connection:
            connection.sendall(head + b"\r\n")
            assert answer(connection) == (431, "headers_too_large") and closes(connection)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GET /livez HTTP/1.1\r\nX-Long: " + b"a" * 5000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"GET /livez HTTP/1.1\r\nno header\r\n\r\n", 400, "malformed_body"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400, "malformed_body"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nnot hex\r\n", 400, "malformed_body"),
    ],
)
def test_what_is_no_request_is_refused_like_all_else(sent: bytes, status: int, code: str, port: int) -> None:
    before = refusals(port)
    with connect(port) as connection:
        connection.sendall(sent)
        data = b""
        while more := connection.recv(65_536):
            data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert int(first.split()[1]) == status and json.loads(body)["error"]["code"] == code
    assert headers["connection"] == "close" and "date" in headers
    assert {name: headers[name.lower()] for name in SECURITY} == {n: v.lower() for n, v in SECURITY.items()}
    # the application, which waits for a body that breaks, hears of it a moment later
    until(lambda: "\nfaunalens_inside 0.0\n" in metrics(port))
    assert refusals(port) - before == {code: 1}


def refusals(port: int) -> Counter[str]:
    """Refusals by code, so far."""
    found = re.findall(r'^faunalens_failures_total\{code="(\w+)"\} (.+)$', metrics(port), re.MULTILINE)
    return Counter({code: int(float(count)) for code, count in found})


def metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as response:
        return str(response.read().decode())


def test_many_small_requests_on_one_connection(port: int) -> None:
    with connect(port) as connection:
        for _ in range(100):
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Padding: " + b"p" * 100 + b"\r\n\r\n")
            assert answer(connection) == (200, "")


def test_a_body_that_stops(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\nabc")
        assert answer(connection) == (408, "request_timeout")
        assert closes(connection)


def test_a_body_that_drips(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        drip(connection, b"a", 0.3)
        assert answer(connection) == (408, "request_timeout")
        drip(connection, b"a", 0.3)
        assert closes(connection), "the rest of a refused body does not keep the connection"


@pytest.mark.parametrize("lie", [b"Content-Length: 5000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
def test_bytes_are_counted_on_the_stream(lie: bytes, port: int) -> None:
    with connect(port) as connection:
        connection.sendall(HEAD + lie)
        piece = b"a" * 50_000
        for _ in range(8):
            connection.sendall((b"c350\r\n" + piece + b"\r\n") if b"chunked" in lie else piece)
        assert answer(connection) == (413, "too_many_bytes")


def test_a_body_that_is_too_long_by_its_head_is_not_asked_for(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 300001\r\n\r\n")
        assert answer(connection) == (413, "too_many_bytes")


def test_a_content_length_that_lies_low(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(HEAD + b"Content-Length: 3\r\n\r\nabcGET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(connection) == (415, "unsupported_format")


def test_all_bodies_together_are_bounded(patient_port: int) -> None:
    with connect(patient_port) as first, connect(patient_port) as second:
        for connection in (first, second):
            connection.sendall(HEAD + b"Content-Length: 300000\r\n\r\n" + b"a" * 250_000)
        refused = select.select([first, second], [], [], 60)[0]
        assert len(refused) == 1 and answer(refused[0]) == (503, "overloaded")
        (other,) = {first, second} - {*refused}
        other.sendall(b"a" * 50_000)
        assert answer(other) == (415, "unsupported_format")
    with connect(patient_port) as third:
        third.sendall(HEAD + b"Content-Length: 300000\r\n\r\n" + b"a" * 300_000)
        assert answer(third) == (415, "unsupported_format"), "what was held was given back"


def multipart(parts: bytes) -> bytes:
    body = parts + b"--b--\r\n"
    head = b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    "parts",
    [
        b"--b\r\n" + b"X-A: b\r\n" * 40 + b'Content-Disposition: form-data; name="f"\r\n\r\nx\r\n',
        b'--b\r\nContent-Disposition: form-data; name="' + b"n" * 9_000 + b'"\r\n\r\nx\r\n',
        b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n' + b"x" * 70_000 + b"\r\n",
        b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n' * 17,
    ],
    ids=["headers of a part", "bytes of a header", "bytes of a field", "fields"],
)
def test_parts_are_limited(parts: bytes, port: int) -> None:
    with connect(port) as connection:
        connection.sendall(multipart(parts))
        assert answer(connection) == (400, "malformed_body")


def test_the_service_lives(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"\x16\x03\x01 not http\r\n\r\n")
        assert closes(connection)
    with connect(port) as connection:
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(connection) == (200, "")


def client_seen_by(trusted: str, forwarded: str = "203.0.113.7") -> str:
    """The client address that the service takes from a forwarded request."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["client"][0])
        await Response()(scope, receive, send)

    config = configure(Settings(trusted_proxies=trusted), app)
    config.load()
    client = TestClient(config.loaded_app, client=("10.1.2.3", 5))
    client.get("/livez", headers={"X-Forwarded-For": forwarded})
    return seen[0]


def test_forwarded_addresses_are_believed_only_from_trusted_proxies() -> None:
    assert client_seen_by("") == "10.1.2.3"
    assert client_seen_by("10.9.9.9") == "10.1.2.3"
    assert client_seen_by("10.1.2.3") == client_seen_by("10.0.0.0/8") == "203.0.113.7"
    for written_by_the_client in ("198.51.100.1", "10.1.2.3", "10.1.2.3, 198.51.100.1", "nobody", "", "1" * 5_000):
        assert client_seen_by("10.1.2.3", f"{written_by_the_client}, 203.0.113.7") == "203.0.113.7"
    assert client_seen_by("*", "198.51.100.1, 203.0.113.7") == "198.51.100.1", "as docs/settings.md says"
