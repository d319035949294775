"""Work goes on only while its client is there."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from service.errors import ErrorCode, FaunalensError

Result = TypeVar("Result")


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of ``work``; cancels it and raises ``client_gone`` as soon as the client hangs up.

    The body must have been read: the next ASGI message is then the disconnect.
    """
    task = asyncio.current_task()
    assert task is not None
    gone = False

    def leave(_: "asyncio.Task[None]") -> None:
        nonlocal gone
        gone = True
        task.cancel()

    watch = asyncio.create_task(_hung_up(request))
    watch.add_done_callback(leave)
    try:
        return await work
    except asyncio.CancelledError:
        # somebody else may have cancelled it too
        if gone and not task.uncancel():
            raise FaunalensError(ErrorCode.CLIENT_GONE, "The client hung up before its answer was ready.") from None
        raise
    finally:
        watch.remove_done_callback(leave)
        watch.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
