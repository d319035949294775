"""Threads that judge pictures, behind a fair line: decoding and onnxruntime release the GIL, so they fill the cores.

A thread that has finished takes the next picture from the line itself. It does not wait until the event loop, which may
be busy with another request, hands it one.
"""

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from service.errors import ErrorCode, FaunalensError
from service.runtime.admission import Admission, Ticket, too_late
from service.runtime.fairline import FairLine
from service.runtime.own_core import OwnCore

Result = TypeVar("Result")
_STEPS_BACK = 5
LAST = 39
"""Steps from any niceness to the last, 19: Linux takes none beyond it."""


@dataclass(eq=False, slots=True)
class _Job:
    work: Callable[[], Any]
    done: "asyncio.Future[Any]"


class Workers:
    """At most ``threads`` jobs at once; the others wait their flow's turn.

    ``max_wait`` (seconds) and ``max_ratio``: see :class:`service.runtime.admission.Admission`.
    """

    def __init__(self, threads: int, queue: int, max_wait: float, max_ratio: float) -> None:
        self.threads = threads
        # guards the line, how many jobs run, their mean time, and whether this is closed
        self._turn = threading.Condition(threading.Lock())
        self._line: FairLine[_Job] = FairLine()
        self._running: list[threading.Thread] = []
        self._closed = False
        self.admission = Admission(self.threads, queue, max_wait, max_ratio, self._before)

    @property
    def waiting(self) -> int:
        """Jobs in line."""
        return len(self._line)

    @property
    def pending(self) -> int:
        """Jobs in line or running."""
        with self._turn:
            return len(self._line) + self.admission.running

    @property
    def ready(self) -> bool:
        """Whether more work should be sent here; see :meth:`service.runtime.admission.Admission.ready`."""
        with self._turn:
            return self.admission.ready(len(self._line))

    async def run(self, ticket: Ticket, work: Callable[[], Result]) -> Result:
        """Run ``work`` on a thread when its turn comes; raises ``overloaded`` or ``deadline_exceeded`` before that.

        Cancelled while it waits, it leaves the line. Cancelled while it runs, the thread finishes and its result is
        dropped: a thread cannot be stopped.
        """
        self.admission.sit(ticket)
        self._start()
        loop = asyncio.get_running_loop()
        job = _Job(work, loop.create_future())
        with self._turn:
            self._line.push(ticket.flow, job)
            self._turn.notify()
        late = loop.call_later(ticket.deadline - self.admission.clock(), self._expire, ticket, job)
        try:
            return cast(Result, await job.done)
        finally:
            late.cancel()
            self._leave(ticket, job)
            # an error's traceback leads to these names, and they to the error: a ring that holds the photo until a
            # collection finds it
            del job

    def close(self) -> None:
        """Wait for running jobs; drop waiting ones."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()
        for thread in self._running:
            thread.join()

    def _before(self, flow: str) -> int:
        # both at once: a thread may take a picture out of the line meanwhile
        with self._turn:
            return self._line.ahead(flow) + self.admission.running

    def _leave(self, ticket: Ticket, job: _Job) -> bool:
        with self._turn:
            return self._line.discard(ticket.flow, job)

    def _expire(self, ticket: Ticket, job: _Job) -> None:
        """Refuse a job that still waits at its deadline; one that runs already is let be."""
        if self._leave(ticket, job) and not job.done.done():
            job.done.set_exception(too_late())

    def _start(self) -> None:
        """Start the threads that do not run yet; raises ``overloaded`` where the system has not even one left."""
        for number in range(len(self._running), self.threads):
            core = OwnCore(number, self.threads)
            thread = threading.Thread(target=self._work, args=(core,), name=f"faunalens_{number}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                if not self._running:
                    raise no_thread() from error
                return
            self._running.append(thread)

    def _work(self, core: OwnCore) -> None:
        """Take jobs and run them until this is closed: what a thread does."""
        step_back(_STEPS_BACK)
        while (job := self._next()) is not None:
            core.bind(self.admission.running == self.threads or len(self._line) > 0)
            started = time.perf_counter()
            result, error = _outcome(job.work)
            with self._turn:
                self.admission.running -= 1
                self.admission.learn(time.perf_counter() - started)
            # the loop may have ended without waiting for its jobs
            with contextlib.suppress(RuntimeError):
                job.done.get_loop().call_soon_threadsafe(_deliver, job.done, result, error)
            # the same ring; and the next job, which would push this one's photo out, may be long in coming
            del job, result, error

    def _next(self) -> _Job | None:
        """The job whose turn it is, once there is one; None when this is closed."""
        with self._turn:
            while not self._closed:
                if not len(self._line):
                    self._turn.wait()
                elif not (job := self._line.pop()).done.done():
                    self.admission.running += 1
                    return job
            return None


def no_thread() -> FaunalensError:
    """The error of work for which the system has no thread left."""
    return FaunalensError(ErrorCode.OVERLOADED, "No thread can be started; try again shortly.")


def _outcome(work: Callable[[], Result]) -> tuple[Result | None, BaseException | None]:
    """Result and error of ``work``."""
    try:
        return work(), None
    except BaseException as error:
        # whatever it is, the request that waits for it must be told
        return None, error


def _deliver(done: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if done.done():
        pass
    elif error is None:
        done.set_result(result)
    else:
        done.set_exception(error)


def step_back(steps: int) -> None:
    """Let other threads go first: lower this one's priority by ``steps`` of niceness.

    On Linux only: elsewhere niceness belongs to processes, and a thread's number may be another's (setpriority(2)).
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + steps)
