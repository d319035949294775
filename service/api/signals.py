"""SIGHUP loads the model again, like ``POST /v1/model:reload``."""

import asyncio
import logging
import signal
import threading

from service.api.state import State
from service.errors import ErrorCode, FaunalensError

log = logging.getLogger("faunalens")


def reload_on_hangup(state: State) -> None:
    """Listen for SIGHUP on the running loop, where that is the main thread's and the system has such a signal."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGHUP"):
        return
    running: set[asyncio.Task[None]] = set()

    def hangup() -> None:
        task = asyncio.create_task(_reload(state))
        running.add(task)
        task.add_done_callback(running.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup)


async def _reload(state: State) -> None:
    try:
        await state.reload()
    except FaunalensError as error:
        if error.code is not ErrorCode.MODEL_REJECTED:  # that one is in the log, with the reason
            log.warning("SIGHUP does nothing: %s", error)
