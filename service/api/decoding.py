"""Pictures wait here for a decoder process, beside the threads that judge, so that slow ones stop nobody."""

import asyncio
import contextlib
import time
from concurrent.futures import Future, ThreadPoolExecutor

from service.detector import Detector
from service.runtime.admission import Ticket, too_late
from service.runtime.fairline import FairLine
from service.runtime.slots import Slots
from service.runtime.workers import no_thread
from service.seen import Decoded


class Decoding:
    """At most ``threads`` pictures in decoder processes at once, at most ``queue`` there or waiting.

    Clients take turns, one picture each, and leave room for others (:mod:`service.runtime.slots`). Not thread-safe: all
    calls come from the event loop.
    """

    def __init__(self, threads: int, queue: int) -> None:
        self._places = Slots(queue)
        self._free = threads
        self._line: FairLine[asyncio.Future[None]] = FairLine()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decoding")

    @property
    def pending(self) -> int:
        """Pictures in decoder processes or waiting for one."""
        return self._places.taken

    async def decode(self, detector: Detector, ticket: Ticket, data: bytes, heatmap: bool) -> bytes | Decoded:
        """``data`` itself when it is cheap to decode where it is judged, else what a decoder process made of it.

        Raises what :meth:`service.detector.Detector.decode` does, ``overloaded`` when there is no room for one of its
        client, and ``deadline_exceeded`` when this one waited until its request's deadline.
        """
        if not detector.decoders.isolates(data):
            return data
        with self._places.held(ticket.flow, "Too many pictures wait for a decoder"):
            await self._turn(ticket.flow)
            return await self._decoded(detector, ticket, data, heatmap)

    def _decoded(self, detector: Detector, ticket: Ticket, data: bytes, heatmap: bool) -> "asyncio.Future[Decoded]":
        """What a thread makes of ``data``.

        Whoever waits has no name for the thread's future: an error's traceback would lead to it, and it to the error,
        in a ring that holds the photo until a collection finds it.
        """
        loop = asyncio.get_running_loop()
        try:
            work = self._pool.submit(_decode_in_time, detector, ticket, data, heatmap)
        except RuntimeError as error:
            self._pass_on()
            raise no_thread() from error
        # not when its client hangs up: the thread goes on until it is done
        work.add_done_callback(lambda done: self._done(loop, done))
        return asyncio.wrap_future(work, loop=loop)

    def close(self) -> None:
        """Wait for running decoders; drop what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def _turn(self, flow: str) -> None:
        """Wait for a thread."""
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._line.push(flow, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not self._line.discard(flow, turn) and not turn.cancelled():
                self._pass_on()
            raise

    def _done(self, loop: asyncio.AbstractEventLoop, _: "Future[Decoded]") -> None:
        """Called on the thread; the loop may have ended without waiting for it."""
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._pass_on)

    def _pass_on(self) -> None:
        """A thread is free for whoever's turn it is."""
        while len(self._line):
            turn = self._line.pop()
            # who was cancelled a moment ago has not left the line yet
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def _decode_in_time(detector: Detector, ticket: Ticket, data: bytes, heatmap: bool) -> Decoded:
    if time.monotonic() > ticket.deadline:
        raise too_late()
    return detector.decode(data, heatmap)
