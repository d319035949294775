"""Pictures wait here for a decoder process, beside the threads that judge, so that slow ones stop nobody."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from service.detector import Decoded, Detector
from service.errors import ErrorCode, FaunalensError
from service.runtime.admission import Ticket, too_late


class Decoding:
    """At most ``threads`` pictures in decoder processes at once, at most ``queue`` there or waiting."""

    def __init__(self, threads: int, queue: int) -> None:
        self.queue = queue
        self.pending = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decoding")

    async def decode(self, detector: Detector, ticket: Ticket, data: bytes, heatmap: bool) -> bytes | Decoded:
        """``data`` itself when it is cheap to decode where it is judged, else what a decoder process made of it.

        Raises what :meth:`service.detector.Detector.decode` does, ``overloaded`` when ``queue`` pictures are here, and
        ``deadline_exceeded`` when this one waited until its request's deadline.
        """
        if not detector.decoders.isolates(data):
            return data
        if self.pending >= self.queue:
            raise FaunalensError(ErrorCode.OVERLOADED, "Too many pictures wait for a decoder; try again shortly.")
        self.pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, _decode_in_time, detector, ticket, data, heatmap
            )
        finally:
            self.pending -= 1

    def close(self) -> None:
        """Wait for running decoders; drop what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _decode_in_time(detector: Detector, ticket: Ticket, data: bytes, heatmap: bool) -> Decoded:
    if time.monotonic() > ticket.deadline:
        raise too_late()
    return detector.decode(data, heatmap)
