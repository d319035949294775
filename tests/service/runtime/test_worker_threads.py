"""The threads themselves: their priority, their cores, and systems that have none left."""

import asyncio
import os
import threading

import pytest

from service.errors import ErrorCode, FaunalensError
from service.runtime.workers import LAST, Workers, step_back
from tests.service.runtime.test_workers import enter, played, settle, taken


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
