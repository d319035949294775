"""A bounded pool of threads that judge pictures: decoding and onnxruntime release the GIL, so they fill the cores."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service.cores import available_cores
from service.errors import ErrorCode, FaunalensError

Result = TypeVar("Result")


class Workers:
    """At most ``threads`` jobs at once, at most ``queue`` jobs waiting or running; more are refused at once."""

    def __init__(self, threads: int, queue: int) -> None:
        self.threads = threads or available_cores()
        self.queue = queue
        self.pending = 0
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="faunalens")

    async def run(self, job: Callable[[], Result]) -> Result:
        """Run ``job`` on a thread; raises ``overloaded`` when the queue is full."""
        if self.pending >= self.queue:
            raise FaunalensError(ErrorCode.OVERLOADED, "The service is full; try again shortly.", {"queue": self.queue})
        self.pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, job)
        finally:
            self.pending -= 1

    def close(self) -> None:
        """Wait for running jobs; drop waiting ones."""
        self._pool.shutdown(wait=True, cancel_futures=True)
