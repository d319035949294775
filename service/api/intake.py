"""ASGI middleware: how bodies come in, under deadlines and a bound on the bytes that all requests hold together.

uvicorn waits without end for the next piece of a body. Heads and answers are limited in :mod:`service.api.protocol`.
"""

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.bodies import coding_of, packed, too_long
from service.api.door import flow_of
from service.api.rules import BATCHES, JUDGING
from service.errors import ErrorCode, FaunalensError
from service.runtime.slots import Slots

# a batch decision about as many photos as one may name is 11 kB; parsing holds up everybody else
MAX_JSON_BYTES = 65_536
HOLD = "faunalens.hold"
"""In the scope: a function that counts so many bytes more, which the request fetches; raises ``overloaded``."""


class Intake:
    """Wraps ``receive``: the application meets ``request_timeout`` and ``overloaded`` while it reads a body.

    ``gap``: seconds between two pieces of a body; ``total``: seconds for all of it; ``most``: bytes that the bodies of
    all requests under way may hold together. A client whose other requests hold more than is left free gets no more
    (:mod:`service.runtime.slots`), so that a few who send and do not end leave room for others. Batches
    have ``bulk`` seconds, and hold nothing: they go to the disk. What is neither a picture nor a batch is JSON, and
    short. A body that says that it is packed is refused, unless it is a batch, which :mod:`service.api.incoming` looks
    at.
    """

    def __init__(self, app: ASGIApp, gap: float, total: float, most: int, bulk: float) -> None:
        self.app = app
        self.gap = gap
        self.total = total
        self.bulk = bulk
        self.bytes = Slots(most)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        bulk = path == BATCHES
        coding = "" if bulk else coding_of(scope["headers"])
        short = not bulk and path not in JUDGING
        body = _Body(self, receive, flow_of(scope), bulk, short, coding)
        scope[HOLD] = body.hold
        try:
            await self.app(scope, body.receive, send)
        finally:
            body.let_go()


class _Body:
    """The body of one request."""

    def __init__(self, intake: Intake, receive: Receive, flow: str, bulk: bool, short: bool, coding: str) -> None:
        self.intake = intake
        self.flow = flow
        self.bulk = bulk
        self.short = short
        self.coding = coding
        self.held = 0
        self.complete = False
        self._receive = receive
        self._total = intake.bulk if bulk else intake.total
        self._until = time.monotonic() + self._total

    async def receive(self) -> Message:
        if self.complete:
            return await self._receive()
        message = await self._next()
        self.complete = not message.get("more_body", False)
        if self.coding and message.get("body"):
            raise packed(self.coding)
        if not self.bulk:
            self.hold(len(message.get("body", b"")))
        return message

    async def _next(self) -> Message:
        seconds = min(self.intake.gap, self._until - time.monotonic())
        try:
            async with asyncio.timeout(max(seconds, 0)):
                return await self._receive()
        except TimeoutError as error:
            message = "The body came too slowly."
            details = {"gap_seconds": self.intake.gap, "total_seconds": self._total}
            raise FaunalensError(ErrorCode.REQUEST_TIMEOUT, message, details) from error

    def hold(self, count: int) -> None:
        """Count bytes that the request holds from now on to its end."""
        if self.short and self.held + count > MAX_JSON_BYTES:
            raise too_long(MAX_JSON_BYTES)
        if count:
            self.intake.bytes.claim(self.flow, "Too many bytes are coming in", count, own=self.held)
            self.held += count

    def let_go(self) -> None:
        """The request is over."""
        if self.held:
            self.intake.bytes.give_back(self.flow, self.held)
