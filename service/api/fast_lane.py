"""ASGI middleware: a picture as the whole body, with no options, is judged without asking the framework.

Finding the route, solving its parameters and unwinding both take longer than everything else before a picture's turn
comes, and such requests have no parameters. All others, and all that is wrong with a request, take the common way.
"""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.detection import detect
from service.api.failures import respond
from service.api.rules import DETECT
from service.errors import FaunalensError


class FastLane:
    """Stands right before the routes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != DETECT or scope["method"] != "POST" or scope["query_string"]:
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await detect(request)
        except FaunalensError as error:
            response = respond(request, error)
        await response(scope, receive, send)
