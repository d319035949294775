"""ASGI middleware: requests that end before their answer has begun, at the server's stop or by what nobody thought of.

It stands inside of the headers that every answer gets: without those of CORS, a page of another origin is not shown
what went wrong.
"""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.failures import respond, unexpected
from service.api.state import State
from service.errors import ErrorCode, FaunalensError


class Unanswered:
    """Answers them; counts those that the server cancels.

    Nothing else cancels a request: uvicorn does it after ``FAUNALENS_SHUTDOWN_SECONDS``, or at a second SIGINT.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except asyncio.CancelledError:
            self.state.cut_off += 1
            if not begun:
                why = "The service is stopping and did not finish this request. Send it again."
                response = respond(Request(scope), FaunalensError(ErrorCode.NOT_READY, why))
                await response(scope, receive, send)
        except Exception as error:
            if begun:
                raise
            await unexpected(Request(scope), error)(scope, receive, send)
