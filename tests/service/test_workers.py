import asyncio
import threading

import pytest

from service.errors import ErrorCode, FaunalensError
from service.workers import Workers


async def fill_up() -> None:
    workers = Workers(threads=1, queue=2)
    gate = threading.Event()
    jobs = [asyncio.create_task(workers.run(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(FaunalensError) as caught:
        await workers.run(lambda: None)
    assert caught.value.code is ErrorCode.OVERLOADED and workers.pending == 2
    gate.set()
    assert await asyncio.gather(*jobs) == [True, True]
    assert workers.pending == 0
    workers.close()


def test_a_full_queue_refuses_at_once() -> None:
    asyncio.run(fill_up())
