"""One connection and its clocks, without a socket: clients that leave, or do not read."""

import asyncio
from typing import Any

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import ServerState

from service.api.connection import while_connected
from service.api.protocol import GuardedProtocol, guarded
from service.errors import ErrorCode, FaunalensError
from tests.own_time import own_time

pytestmark = pytest.mark.anyio
GET = b"GET /v1/model HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
CHUNKED = b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
BROKEN = b"not hex\r\n"
SECONDS = 0.05
LONG = 6 * SECONDS


@pytest.fixture(autouse=True)
async def _time(monkeypatch: pytest.MonkeyPatch) -> None:
    own_time(monkeypatch)


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = self.aborted = False
        self.reads = True

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class Connection:
    """A connection whose requests for a judgement are refused by their heads.

    ``keep_alive``: seconds; ``wanted``: connections.
    """

    def __init__(self, app: ASGIApp | None = None, keep_alive: int = 60, wanted: int = 10) -> None:
        self.wire = Wire()
        self.counted: list[str] = []
        self.refused = 0
        config = uvicorn.Config(app or Response(), ws="none", log_config=None, timeout_keep_alive=keep_alive)
        config.load()
        kind = guarded(SECONDS, 4096, wanted, self._refuse, self.counted.append)
        self.protocol: GuardedProtocol = kind(config, ServerState(), {}, asyncio.get_running_loop())
        self.protocol.connection_made(self.wire)

    def _refuse(self, url: bytes, _: object) -> tuple[int, bytes] | None:
        if url != b"/v1/detect":
            return None
        self.refused += 1
        return 503, b"content-length: 0\r\n\r\n"


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that thinks for ever."""
    await asyncio.Event().wait()


async def begun(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that has begun its answer."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
    await send({"type": "http.response.body", "body": b"five ", "more_body": True})
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("app", "sent", "answers"),
    [
        (silent, [GET, b"none\r\n\r\n"], []), (silent, [GET, CHUNKED % b"/x", BROKEN], []),
        (Response(), [b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"], [b"400"]),
        (silent, [CHUNKED % b"/x", BROKEN], [b"400"]), (begun, [CHUNKED % b"/x", BROKEN], [b"200"]),
        (silent, [CHUNKED % b"/v1/detect", BROKEN], [b"503"]), (Response(), [GET, b"none\r\n\r\n"], [b"200", b"400"]),
    ],
)  # fmt: skip
async def test_what_is_no_http_is_not_answered_before_or_inside_another_answer(
    app: ASGIApp, sent: list[bytes], answers: list[bytes]
) -> None:
    connection = Connection(app)
    for piece in sent:
        connection.protocol.data_received(piece)
        for _ in range(3):
            await asyncio.sleep(0)
    found = [answer[:3] for answer in connection.wire.written.split(b"HTTP/1.1 ")[1:]]
    connection.protocol.connection_lost(None)
    assert found == answers and connection.wire.closed


@pytest.mark.parametrize("more", [b"", b"X-A: b\r\n" * 1_000])
async def test_what_is_refused_is_counted_once(more: bytes) -> None:
    connection = Connection()
    connection.protocol.data_received(b"no request\r\n" + more)
    await asyncio.sleep(LONG)
    assert connection.counted == ["malformed_body"] and connection.wire.written.count(b" 400 ") == 1


@pytest.mark.parametrize("sent", [b"", b"GET /livez HT"])
async def test_a_client_that_leaves_is_not_counted_as_slow(sent: bytes) -> None:
    """As the checks of a load balancer do every few seconds."""
    stays, leaves = Connection(), Connection()
    for connection in (stays, leaves):
        connection.protocol.data_received(sent)
    leaves.protocol.connection_lost(None)
    await asyncio.sleep(LONG)
    assert stays.counted == ["request_timeout"] and stays.wire.closed
    assert (leaves.counted, leaves.wire.written) == ([], b"")


async def test_a_body_may_take_longer_than_a_head() -> None:
    connection = Connection(silent)
    connection.protocol.data_received(CHUNKED % b"/x")
    await asyncio.sleep(LONG)
    connection.protocol.data_received(b"1\r\na\r\n0\r\n\r\n")
    await asyncio.sleep(LONG)
    found = connection.wire.written, connection.counted, connection.wire.closed
    connection.protocol.connection_lost(None)
    assert found == (b"", [], False)


@pytest.mark.parametrize("sent", [[GET], [POST], [POST[:-1], b"a"]])
async def test_a_connection_too_many_is_closed_once_it_is_answered(sent: list[bytes]) -> None:
    connection = Connection(wanted=0)
    for piece in sent:
        assert not connection.wire.closed
        connection.protocol.data_received(piece)
        for _ in range(3):
            await asyncio.sleep(0)
    assert connection.wire.closed and connection.wire.written.count(b" 200 ") == 1 and connection.refused == 0


async def test_a_client_that_reads_again_is_served_on() -> None:
    connection = Connection()
    connection.protocol.data_received(POST)
    connection.protocol.pause_writing()
    connection.protocol.resume_writing()
    await asyncio.sleep(LONG)
    assert not connection.wire.aborted
    connection.protocol.pause_writing()
    await asyncio.sleep(LONG)
    assert connection.wire.aborted


async def test_a_connection_whose_request_was_refused_is_closed_once_it_is_idle() -> None:
    connection = Connection(keep_alive=1)
    for _ in range(2):
        connection.protocol.data_received(POST)
    assert connection.refused == 2
    await asyncio.sleep(LONG)
    assert connection.wire.written.count(b" 503 ") == 2 and not connection.wire.closed
    await asyncio.sleep(1)
    assert connection.wire.closed


async def test_what_a_client_does_not_read_is_not_heaped_up() -> None:
    """The application waits for its reader, a refusal by the head does not."""
    connection = Connection()
    connection.protocol.pause_writing()
    for _ in range(2):
        connection.protocol.data_received(POST)
    await asyncio.sleep(0)
    found = connection.refused, connection.wire.written, connection.wire.reads
    connection.protocol.connection_lost(None)
    assert found == (0, b"", False)


@pytest.mark.parametrize("offer", [b"", b"Connection: upgrade\r\nUpgrade: x\r\n"], ids=["plain", "offer"])
@pytest.mark.parametrize("first", [GET, CHUNKED % b"/x"], ids=["head", "body"])
async def test_who_sends_on_without_waiting_for_answers_is_cut_off(offer: bytes, first: bytes) -> None:
    """Two thousand heads in one piece, after a head or a body: each would be kept, or read inside the one before."""
    connection = Connection(silent)
    connection.protocol.data_received(first)
    connection.protocol.data_received(b"0\r\n\r\n" * (first != GET) + (GET[:-2] + offer + b"\r\n") * 2_000)
    found = connection.wire.closed, connection.wire.written, len(connection.protocol.pipeline)
    connection.protocol.connection_lost(None)
    assert found[:2] == (True, b"") and 0 < found[2] <= 64


async def test_requests_ahead_of_their_answers_are_answered_in_turn() -> None:
    connection = Connection()
    connection.protocol.data_received(GET * 60)
    for _ in range(200):
        await asyncio.sleep(0)
    assert connection.wire.written.count(b" 200 ") == 60 and not connection.wire.closed


@pytest.mark.parametrize("before", [0, 1, 2])
async def test_a_client_that_leaves_is_missed_by_the_request_that_is_being_answered(before: int) -> None:
    """Not by the one that it sent last, which has not begun."""
    seen: list[str] = []

    async def patient(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["path"])
        if scope["path"] != "/slow":
            await Response()(scope, receive, send)
            return
        while (await receive())["type"] != "http.disconnect":
            pass
        seen.append("gone")

    connection = Connection(patient)
    slow, after = GET.replace(b"/v1/model", b"/slow"), GET.replace(b"/v1/model", b"/after")
    connection.protocol.data_received(GET * before + slow + after)
    for _ in range(100):
        await asyncio.sleep(0)
    connection.protocol.connection_lost(None)
    for _ in range(100):
        await asyncio.sleep(0)
    assert seen == ["/v1/model"] * before + ["/slow", "gone"]


@pytest.mark.parametrize("by", ["client", "server", "both"])
async def test_who_ends_a_request_is_told_apart(by: str) -> None:
    """What the server cuts off at its stop is answered and counted as that, even if its client goes as well."""
    left = asyncio.Event()

    async def receive() -> Message:
        await left.wait()
        if by == "both":
            asyncio.get_running_loop().call_soon(task.cancel)
        return {"type": "http.disconnect"}

    async def work() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(while_connected(Request({"type": "http", "headers": []}, receive), work()))
    for _ in range(3):
        await asyncio.sleep(0)
    if by == "server":
        task.cancel()
    else:
        left.set()
    await asyncio.wait([task])
    assert task.cancelled() == (by != "client")
    if by == "client":
        assert isinstance(error := task.exception(), FaunalensError) and error.code is ErrorCode.CLIENT_GONE
