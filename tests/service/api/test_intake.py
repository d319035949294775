"""Bodies come in piece by piece from a client that is played here."""

import asyncio
from collections import deque
from types import SimpleNamespace

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.intake import Intake
from service.errors import FaunalensError
from tests.own_time import own_time

pytestmark = pytest.mark.anyio
GAP = 0.1
Pieces = list[tuple[float, bytes]]


@pytest.fixture(autouse=True)
async def _time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.api.intake.time", SimpleNamespace(monotonic=own_time(monkeypatch)))


async def whole(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads a body to its end."""
    while (await receive())["more_body"]:
        pass


async def sent(pieces: Pieces, app: ASGIApp = whole, path: str = "/v1/detect", coding: str = "identity") -> str:
    """Play a client that sends ``pieces``, each after some seconds, and leaves; the error's code, if there is one."""
    coming = deque(pieces)

    async def receive() -> Message:
        if not coming:
            await asyncio.sleep(4 * GAP)
            return {"type": "http.disconnect"}
        seconds, data = coming.popleft()
        await asyncio.sleep(seconds)
        return {"type": "http.request", "body": data, "more_body": bool(coming)}

    async def send(_: Message) -> None:
        raise AssertionError("nobody answers here")

    intake = Intake(app, gap=GAP, total=3 * GAP, most=1000, bulk=60 * GAP)
    try:
        await intake({"type": "http", "path": path, "headers": [(b"content-encoding", coding.encode())]}, receive, send)
    except FaunalensError as error:
        return error.code.code
    finally:
        assert intake.bytes.taken == 0, "what was held is given back"
    return ""


@pytest.mark.parametrize("path", ["/v1/detect", "/v1/heatmap", "/v1/batches", "/v1/review/claims"])
async def test_a_piece_may_take_no_longer_than_the_gap(path: str) -> None:
    assert await sent([(0, b"a"), (0, b"b")], path=path) == ""
    assert await sent([(0, b"a"), (2 * GAP, b"b")], path=path) == "request_timeout"


@pytest.mark.parametrize("coding", ["gzip", "GZIP, br", "zstd"])
async def test_a_body_that_is_packed_is_refused_as_that(coding: str) -> None:
    for path in ("/v1/detect", "/v1/heatmap", "/v1/review/claims"):
        assert await sent([(0, b"\x1f\x8b")], path=path, coding=coding) == "unsupported_content_type"
        assert await sent([(0, b"")], path=path, coding=coding) == "", "there is none"


async def test_all_of_a_batch_may_take_longer_than_all_of_another_body() -> None:
    slow: Pieces = [(GAP / 5, b"a")] * 25
    assert await sent(slow) == "request_timeout"
    assert await sent(slow, path="/v1/batches") == ""


async def test_batches_hold_nothing_because_they_go_to_the_disk() -> None:
    long: Pieces = [(0, bytes(600))] * 2
    assert await sent(long) == "overloaded"
    assert await sent(long, path="/v1/batches") == ""


async def test_a_body_alone_may_take_all_that_may_be_held() -> None:
    assert await sent([(0, bytes(400)), (0, bytes(400)), (0, bytes(200))]) == ""
    assert await sent([(0, bytes(400)), (0, bytes(400)), (0, bytes(201))]) == "overloaded"


async def test_one_client_leaves_bytes_to_others() -> None:
    """Bodies that never end would hold all that may be held, piece by piece, for as long as a body may take."""
    intake, end = Intake(whole, gap=60, total=60, most=1000, bulk=60), asyncio.Event()

    async def sends(client: str, size: int) -> str:
        pieces = iter([{"type": "http.request", "body": bytes(size), "more_body": True}])

        async def receive() -> Message:
            if piece := next(pieces, None):
                return piece
            await end.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {"type": "http", "path": "/v1/detect", "headers": [], "client": (client, 1)}
        try:
            await intake(scope, receive, receive)  # type: ignore[arg-type]
        except FaunalensError as error:
            return error.code.code
        return ""

    async def begun(client: str, size: int) -> asyncio.Task[str]:
        task = asyncio.create_task(sends(client, size))
        await asyncio.sleep(0)
        return task

    greedy = [await begun("greedy", 200) for _ in range(5)]
    assert [one.done() for one in greedy] == [False, False, False, True, True] and greedy[3].result() == "overloaded"
    assert intake.bytes.taken == 600
    other = await begun("other", 300)
    end.set()
    assert await asyncio.gather(*greedy[:3], other) == [""] * 4
    assert await sends("large", 1000) == "" and await sends("large", 1001) == "overloaded"
    assert intake.bytes.taken == intake.bytes.of_largest == 0, "no client is remembered"


async def test_who_judges_may_wait_for_the_client_longer_than_for_a_body() -> None:
    async def judging(scope: Scope, receive: Receive, send: Send) -> None:
        await whole(scope, receive, send)
        assert await receive() == {"type": "http.disconnect"}

    assert await sent([(0, b"a")], judging) == ""
