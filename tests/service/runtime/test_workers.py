import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable

import pytest

from service.errors import ErrorCode, FaunalensError
from service.runtime.admission import Ticket
from service.runtime.workers import Workers
from tests.live import Photo, uncollected, until
from tests.own_time import own_time


def played(scene: Callable[[Workers, threading.Event], Awaitable[None]], queue: int = 64) -> Workers:
    """Play ``scene`` with one thread, whose first job waits for the gate."""
    workers = Workers(threads=1, queue=queue, max_wait=60, max_ratio=1e6)

    async def play() -> None:
        gate = threading.Event()
        try:
            await scene(workers, gate)
        finally:
            gate.set()
            workers.close()
            await asyncio.sleep(0)

    asyncio.run(play())
    return workers


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def taken(workers: Workers) -> None:
    """Until the thread has taken the first job, which it does by itself."""
    await settle()
    while not workers.admission.running:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


def enter(workers: Workers, flow: str = "a", seconds: float = 30) -> Ticket:
    return workers.admission.enter(flow, seconds)


def test_a_full_house_refuses_at_once() -> None:
    async def scene(workers: Workers, gate: threading.Event) -> None:
        jobs = [asyncio.create_task(workers.run(enter(workers), gate.wait)) for _ in range(2)]
        await taken(workers)
        assert workers.pending == 2 and workers.waiting == 1
        with pytest.raises(FaunalensError) as caught:
            enter(workers)
        assert caught.value.code is ErrorCode.OVERLOADED
        gate.set()
        assert await asyncio.gather(*jobs) == [True, True]

    assert played(scene, queue=3).pending == 0


def test_results_errors_and_the_mean_time() -> None:
    async def scene(workers: Workers, _: threading.Event) -> None:
        assert await workers.run(enter(workers), lambda: 7) == 7
        for error in (ZeroDivisionError, SystemExit):
            with pytest.raises(error):
                await workers.run(enter(workers), lambda error=error: (_ for _ in ()).throw(error()))
        assert await workers.run(enter(workers), lambda: 8) == 8

    workers = played(scene)
    assert workers.admission.service_seconds != Workers(1, 64, 60, 1e6).admission.service_seconds


def test_flows_take_turns() -> None:
    order: list[str] = []

    async def scene(workers: Workers, gate: threading.Event) -> None:
        first = asyncio.create_task(workers.run(enter(workers), gate.wait))
        await taken(workers)
        names = ["bulk-1", "bulk-2", "bulk-3", "pipeline-1", "pipeline-2"]
        jobs = [
            asyncio.create_task(workers.run(enter(workers, name[:-2]), lambda name=name: order.append(name)))
            for name in names
        ]
        await settle()
        gate.set()
        await asyncio.gather(first, *jobs)

    played(scene)
    assert order == ["bulk-1", "pipeline-1", "bulk-2", "pipeline-2", "bulk-3"]


def test_what_nobody_waits_for_does_not_run() -> None:
    ran: list[str] = []

    async def scene(workers: Workers, gate: threading.Event) -> None:
        workers.admission.service_seconds = 0.001
        first = asyncio.create_task(workers.run(enter(workers), gate.wait))
        await taken(workers)
        gone = asyncio.create_task(workers.run(enter(workers), lambda: ran.append("gone")))
        late = asyncio.create_task(workers.run(enter(workers, seconds=1), lambda: ran.append("late")))
        last = asyncio.create_task(workers.run(enter(workers), lambda: ran.append("last")))
        await settle()
        assert workers.waiting == 3
        gone.cancel()
        with pytest.raises(FaunalensError) as caught:
            await late
        assert caught.value.code is ErrorCode.DEADLINE_EXCEEDED
        # refused at its deadline, while the thread is still taken
        assert workers.waiting == 1 and not gate.is_set()
        gate.set()
        await asyncio.gather(first, last)

    played(scene)
    assert ran == ["last"]


def test_the_line_is_asked_again_when_a_job_joins_it() -> None:
    async def scene(workers: Workers, gate: threading.Event) -> None:
        workers.admission.max_ratio = 1
        tickets = [enter(workers) for _ in range(3)]
        jobs = [asyncio.create_task(workers.run(ticket, gate.wait)) for ticket in tickets]
        with pytest.raises(FaunalensError) as caught:
            await jobs[2]
        assert caught.value.code is ErrorCode.OVERLOADED and workers.pending == 2
        gate.set()
        await asyncio.gather(*jobs[:2])

    played(scene)


def test_a_deadline_stops_nothing_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(workers: Workers, gate: threading.Event) -> None:
        job = asyncio.create_task(workers.run(enter(workers, seconds=30), lambda: gate.wait() and "done"))
        await taken(workers)
        own_time(monkeypatch)
        await asyncio.sleep(31)
        gate.set()
        assert await job == "done"

    played(scene)


def test_a_cancelled_job_keeps_its_thread_until_it_ends() -> None:
    odd: list[object] = []

    async def scene(workers: Workers, gate: threading.Event) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: odd.append(context))
        job = asyncio.create_task(workers.run(enter(workers), gate.wait))
        await taken(workers)
        job.cancel()
        await settle()
        assert workers.admission.running == 1
        other = asyncio.create_task(workers.run(enter(workers), lambda: "other"))
        await settle()
        assert workers.waiting == 1
        gate.set()
        assert await other == "other"
        assert workers.admission.running == 0

    played(scene)
    assert not odd, "its result is dropped without a word in the log"


def test_closing_waits_for_what_runs_and_drops_what_waits() -> None:
    """As at the end, for a picture whose client hung up: the process must not end while its thread still works."""
    ran: list[str] = []

    async def scene(workers: Workers, gate: threading.Event) -> None:
        gone = asyncio.create_task(workers.run(enter(workers), lambda: (gate.wait(), ran.append("running"))))
        await taken(workers)
        waits = asyncio.create_task(workers.run(enter(workers), lambda: ran.append("waiting")))
        await settle()
        gone.cancel()
        closing = asyncio.create_task(asyncio.to_thread(workers.close))
        assert not (await asyncio.wait([closing], timeout=0.1))[0]
        gate.set()
        await closing
        assert ran == ["running"]
        waits.cancel()

    played(scene)


@pytest.mark.parametrize("fails", [False, True])
def test_a_photo_is_gone_with_its_answer(fails: bool) -> None:
    def judge(photo: Photo) -> Photo:
        if fails:
            raise ZeroDivisionError
        return photo

    async def scene(workers: Workers, _: threading.Event) -> None:
        photo = Photo()
        with contextlib.suppress(ZeroDivisionError):
            await workers.run(enter(workers), lambda photo=photo: judge(photo))
        gone = photo.gone
        del photo
        await asyncio.to_thread(until, gone, 30)

    with uncollected():
        played(scene)
