"""ASGI middleware: HEAD is answered as GET is, without the body (RFC 9110, 9.3.2).

The framework's routes do not take HEAD, by which load balancers and uptime monitors ask.
"""

import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class _AnsweredError(Exception):
    """The head is sent, and nobody wants the rest."""


class Head:
    """Stands before the routes, which see GET; what is outside sees HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            scope["method"] = "HEAD"
            await send(message)
            await send({"type": "http.response.body"})
            # a stream would go on, some without end
            raise _AnsweredError

        scope["method"] = "GET"
        try:
            with contextlib.suppress(_AnsweredError):
                await self.app(scope, receive, without_body)
        finally:
            scope["method"] = "HEAD"
