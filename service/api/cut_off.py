"""Requests that are still under way when the server's time to stop is over."""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.failures import respond
from service.api.state import State
from service.errors import ErrorCode, FaunalensError


class CutOff:
    """Counts the requests that the server cancels, and answers those whose answer has not begun.

    Nothing else cancels a request: uvicorn does it after ``FAUNALENS_SHUTDOWN_SECONDS``, or at a second SIGINT.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            self.state.cut_off += 1
            if not begun:
                why = "The service is stopping and did not finish this request. Send it again."
                response = respond(Request(scope), FaunalensError(ErrorCode.NOT_READY, why))
                await response(scope, receive, send)
