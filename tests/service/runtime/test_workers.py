import asyncio
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable

import pytest

from service.errors import ErrorCode, FaunalensError
from service.runtime.admission import Ticket
from service.runtime.workers import LAST, Workers, step_back
from tests.live import Photo, uncollected, until


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
        gone = asyncio.create_task(workers.run(enter(workers), lambda: ran.append("gone")))
        late = asyncio.create_task(workers.run(enter(workers, seconds=1), lambda: ran.append("late")))
        last = asyncio.create_task(workers.run(enter(workers), lambda: ran.append("last")))
        await taken(workers)
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


def test_a_deadline_stops_nothing_that_runs() -> None:
    async def scene(workers: Workers, gate: threading.Event) -> None:
        job = asyncio.create_task(workers.run(enter(workers, seconds=1), lambda: gate.wait() and "done"))
        await taken(workers)
        await asyncio.sleep(1.1)
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


def test_threads_let_the_one_that_answers_go_first() -> None:
    async def scene(workers: Workers, _: threading.Event) -> None:
        def niceness() -> int:
            return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

        assert await workers.run(enter(workers), niceness) == min(19, niceness() + 5)

    played(scene)


@pytest.mark.parametrize("already", [0, 7])
def test_a_step_back_is_one_from_where_the_service_was_put(already: int) -> None:
    seen: list[int] = []

    def step() -> None:
        for steps in (already, 5, LAST):
            step_back(steps)
            seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    before = os.getpriority(os.PRIO_PROCESS, 0)
    thread = threading.Thread(target=step)
    thread.start()
    thread.join()
    assert seen == [min(19, before + already), min(19, before + already + 5), 19]


def test_a_thread_whose_loop_has_ended_works_for_the_next_one() -> None:
    workers, gate = Workers(threads=1, queue=64, max_wait=60, max_ratio=1e6), threading.Event()

    async def left_behind() -> None:
        job = asyncio.create_task(workers.run(enter(workers), gate.wait))
        await taken(workers)
        job.cancel()

    asyncio.run(left_behind())
    gate.set()
    assert asyncio.run(workers.run(enter(workers), lambda: "done")) == "done"
    workers.close()


@pytest.mark.parametrize("left", [0, 1])
def test_threads_that_cannot_be_started_are_started_later(left: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """``left``: how many threads the system has left at the first picture."""
    workers = Workers(threads=2, queue=64, max_wait=60, max_ratio=1e6)
    start, starts = threading.Thread.start, [*[True] * left, *[False] * 3]

    def scarce(thread: threading.Thread) -> None:
        if thread.name.startswith("faunalens_") and not (starts or [True]).pop(0):
            raise RuntimeError("can't start new thread")
        start(thread)

    async def play() -> None:
        monkeypatch.setattr(threading.Thread, "start", scarce)
        if left:
            assert await workers.run(enter(workers), lambda: 1) == 1
        else:
            with pytest.raises(FaunalensError) as caught:
                await workers.run(enter(workers), lambda: 1)
            assert caught.value.code is ErrorCode.OVERLOADED and workers.waiting == 0
        starts.clear()
        both = threading.Barrier(2)
        work = [workers.run(enter(workers, seconds=60), lambda: both.wait(60) >= 0) for _ in range(2)]
        assert await asyncio.gather(*work) == [True, True]

    try:
        asyncio.run(play())
    finally:
        workers.close()


def test_threads_keep_to_their_cores_while_all_of_them_work() -> None:
    cores = os.sched_getaffinity(0)
    workers = Workers(threads=len(cores), queue=64, max_wait=60, max_ratio=1e6)

    async def play() -> None:
        gate, all_here = threading.Event(), threading.Barrier(len(cores) + 1)

        def wait() -> None:
            all_here.wait()
            gate.wait()

        def where() -> set[int]:
            all_here.wait()
            return os.sched_getaffinity(0)

        first = [asyncio.create_task(workers.run(enter(workers), wait)) for _ in cores]
        await asyncio.to_thread(all_here.wait)
        then = [asyncio.create_task(workers.run(enter(workers), where)) for _ in cores]
        await settle()
        gate.set()
        await asyncio.to_thread(all_here.wait)
        assert sorted(core for bound in await asyncio.gather(*then) for core in bound) == sorted(cores)
        await asyncio.gather(*first)
        if len(cores) > 1:
            assert await workers.run(enter(workers), lambda: os.sched_getaffinity(0)) == cores

    try:
        asyncio.run(play())
    finally:
        workers.close()
