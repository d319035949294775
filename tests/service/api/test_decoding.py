import asyncio
import contextlib
import math
import os
import signal
import threading
from collections.abc import Iterator
from typing import cast

import pytest
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.api.decoding import Decoding
from service.decoding.decoders import Decoders
from service.detector import Detector
from service.errors import ErrorCode, FaunalensError
from service.runtime.admission import Ticket
from service.settings import Settings
from tests.conftest import encoded
from tests.live import Photo, children, ready, ticks, uncollected, until
from tests.service.hostile import many_scans, scene

JPEG = {"Content-Type": "image/jpeg"}


@contextlib.contextmanager
def serving(**settings: float) -> Iterator[TestClient]:
    """A service with one decoder process."""
    app = create_app(Settings(decoders=1, queue=4, **settings))  # type: ignore[arg-type]
    with TestClient(app, raise_server_exceptions=False) as started:
        until(lambda: started.get("/readyz").status_code == 200)
        yield started


@pytest.fixture(scope="module")
def steady() -> Iterator[TestClient]:
    """It gives a picture as long as it takes on any machine."""
    with serving(decode_seconds=120.0) as started:
        yield started


def test_slow_pictures_stop_nobody(detector: Detector, tusk: bytes) -> None:
    slow, codes = many_scans(4_000, 3_000, 5_000), list[str]()
    with serving(decode_seconds=600.0) as client:

        def attack() -> None:
            codes.append(client.post("/v1/detect", content=slow, headers=JPEG).json()["error"]["code"])

        decoding = client.app.state.faunalens.decoding  # type: ignore[attr-defined]
        process = client.app.state.faunalens.detector.decoders._idle.queue[0].popen.pid  # type: ignore[attr-defined]
        before, others = ticks(process), children(os.getpid())
        attackers = [threading.Thread(target=attack) for _ in range(2)]
        for attacker in attackers:
            attacker.start()
        until(lambda: ticks(process) > before + 5 and decoding.pending == 2)
        for _ in range(3):
            answer = client.post("/v1/detect", content=tusk, headers=JPEG)
            assert answer.json()["scores"] == detector.see(tusk).probabilities
        assert codes == [] and decoding.pending == 2, "good pictures were answered while slow ones were being decoded"
        os.kill(process, signal.SIGKILL)
        until(lambda: codes == ["decoder_stopped"] and children(os.getpid()) - others)
        (process,) = children(os.getpid()) - others
        os.kill(process, signal.SIGKILL)
        for attacker in attackers:
            attacker.join()
        assert codes[0] == "decoder_stopped" and len(codes) == 2


def test_the_deadline_of_a_picture() -> None:
    with serving(decode_seconds=2.0) as hurried:
        answer = hurried.post("/v1/detect", content=many_scans(4_000, 3_000, 5_000), headers=JPEG)
    assert answer.status_code == 422 and answer.json()["error"]["code"] == "decode_deadline"


def test_other_formats_go_the_same_way(steady: TestClient, detector: Detector) -> None:
    for kind in ("PNG", "WEBP", "AVIF"):
        data = encoded(scene(600, 400), kind)
        answer = steady.post("/v1/detect?heatmap=true", content=data, headers=JPEG).json()
        assert answer["scores"] == detector.see(data).probabilities and answer["heatmap_png"]
        assert answer["timing_ms"]["total"] >= answer["timing_ms"]["decode"] > 0
        assert steady.post("/v1/heatmap", content=data, headers=JPEG).headers["content-type"] == "image/png"


def test_the_endpoint_refuses_truncated_pictures(steady: TestClient) -> None:
    data = encoded(scene(600, 400), "PNG")[:5_000]
    assert steady.post("/v1/detect", content=data, headers=JPEG).json()["error"]["code"] == "truncated_image"


@pytest.mark.parametrize("confined", [True, False])
def test_a_system_that_does_not_confine_decoders_is_named(
    confined: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Decoders, "confined", property(lambda _: confined, lambda *_: None), raising=False)
    with caplog.at_level("INFO", "faunalens"), ready(create_app(Settings(decoders=1))):
        assert ("this system has no Landlock" in caplog.text) is not confined


class Slow:
    """Stands in for a detector whose decoders wait until they are let go."""

    def __init__(self) -> None:
        self.began: list[bytes] = []
        self.go = threading.Semaphore(0)

    @property
    def decoders(self) -> "Slow":
        return self

    def isolates(self, _: bytes) -> bool:
        return True

    def decode(self, data: bytes, _: bool) -> bytes:
        self.began.append(data)
        assert self.go.acquire(timeout=60)
        return data


def test_clients_take_turns_at_the_decoders() -> None:
    async def scene() -> None:
        slow, decoding = Slow(), Decoding(1, 10)
        detector, later = cast(Detector, slow), math.inf
        many = [asyncio.create_task(decoding.decode(detector, Ticket("a", later), b"a", False)) for _ in range(6)]
        await asyncio.sleep(0)
        other = asyncio.create_task(decoding.decode(detector, Ticket("b", later), b"b", False))
        await asyncio.sleep(0)
        slow.go.release(3)
        assert await other == b"b" and slow.began[:3] == [b"a", b"a", b"b"]
        slow.go.release(4)
        await asyncio.gather(*many)
        assert decoding.pending == 0
        decoding.close()

    asyncio.run(scene())


def refuse(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_when_the_system_has_a_thread_again_there_are_decoders_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        slow, decoding = Slow(), Decoding(1, 10)
        slow.go.release(9)

        async def sent() -> object:
            work = decoding.decode(cast(Detector, slow), Ticket("a", math.inf), b"a", False)
            return await asyncio.wait_for(work, 30)

        with monkeypatch.context() as full:
            full.setattr(threading.Thread, "start", refuse)
            for _ in range(2):
                with pytest.raises(FaunalensError) as caught:
                    await sent()
                assert caught.value.code is ErrorCode.OVERLOADED
        assert await sent() == b"a" and decoding.pending == 0
        decoding.close()

    asyncio.run(scene())


def test_one_client_leaves_places_in_line_to_others() -> None:
    """Many files of one request wait here at once, so that requests inside are no bound on them."""

    async def scene() -> None:
        slow, decoding = Slow(), Decoding(1, 4)

        def sent(flow: str) -> asyncio.Task[object]:
            ticket = Ticket(flow, math.inf)
            return asyncio.create_task(decoding.decode(cast(Detector, slow), ticket, flow.encode(), False))

        many = [sent("a") for _ in range(4)]
        (refused,), waiting = await asyncio.wait(many, return_when=asyncio.FIRST_COMPLETED)
        assert isinstance(error := refused.exception(), FaunalensError) and error.code is ErrorCode.OVERLOADED
        slow.go.release(4)
        assert await sent("b") == b"b"
        await asyncio.wait(waiting)
        assert decoding.pending == 0
        decoding.close()

    asyncio.run(scene())


def test_who_hangs_up_leaves_the_line_and_frees_no_thread_that_still_works() -> None:
    async def scene() -> None:
        slow, decoding = Slow(), Decoding(1, 10)
        tasks = [
            asyncio.create_task(decoding.decode(cast(Detector, slow), Ticket(name, math.inf), name.encode(), False))
            for name in ("running", "gone", "left")
        ]
        await asyncio.to_thread(until, lambda: slow.began)
        for task in tasks[:2]:
            task.cancel()
        await asyncio.gather(*tasks[:2], return_exceptions=True)
        assert slow.began == [b"running"] and decoding.pending == len(decoding._line) == 1
        slow.go.release(2)
        assert await tasks[2] == b"left" and slow.began == [b"running", b"left"]
        decoding.close()

    asyncio.run(scene())


def test_a_photo_that_cannot_be_decoded_is_gone_with_its_error() -> None:
    async def scene() -> None:
        decoding, photo = Decoding(1, 10), Photo()
        gone = photo.gone
        with pytest.raises(FaunalensError):
            await decoding.decode(cast(Detector, Slow()), Ticket("a", 0), photo, False)
        del photo
        await asyncio.to_thread(until, gone, 30)
        decoding.close()

    with uncollected():
        asyncio.run(scene())


@pytest.mark.parametrize("before", [True, False])
def test_a_thread_that_is_freed_as_its_next_picture_is_given_up_goes_to_the_one_after(before: bool) -> None:
    """Given up just before the thread is handed on, or just after."""

    async def scene() -> None:
        slow, decoding, odd = Slow(), Decoding(1, 10), list[object]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: odd.append(context))
        running, gone, left = (
            asyncio.create_task(decoding.decode(cast(Detector, slow), Ticket(name, math.inf), name.encode(), False))
            for name in ("running", "gone", "left")
        )
        await asyncio.to_thread(until, lambda: slow.began)
        slow.go.release(2)
        pass_on = decoding._pass_on

        def give_up_and_pass_on() -> None:
            if before:
                gone.cancel()
            pass_on()
            if not before:
                gone.cancel()

        decoding._pass_on = give_up_and_pass_on  # type: ignore[method-assign]
        assert await running == b"running"
        decoding._pass_on = pass_on  # type: ignore[method-assign]
        assert await left == b"left" and gone.cancelled() and not odd
        await asyncio.sleep(0.01)
        assert decoding._free == 1
        decoding.close()

    asyncio.run(scene())
