"""uvicorn's HTTP protocol with what it lacks: a deadline and a byte limit for the head of a request.

A head is the request line and the headers. uvicorn waits for it without end and keeps however much arrives.
Bodies are limited in :mod:`service.api.intake`. uvicorn's bound on connections answers outside the application, to
probes too; here the application is told which connection is one too many, and it is closed once it is answered. What is
not HTTP gets an error in the shape of all others. Who sends many requests without waiting for an answer is cut off, and
a request is told that its client is gone even if another came after it. Offers of other protocols are left to
:mod:`service.api.offers`.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from service.api.headers import LINES
from service.api.joined import Joined
from service.api.offers import OfferlessProtocol
from service.api.unchunked import unchunk
from service.errors import ErrorCode, FaunalensError

# a request that waits for those before it takes a hundred times the memory that it had on the way
_MOST_AHEAD = 64
SURPLUS = "faunalens.surplus"
ANSWERED = "faunalens.answered"
Refusal = Callable[[bytes, Any], tuple[int, bytes] | None]


class GuardedProtocol(OfferlessProtocol):
    """One connection. The limits are set on a subclass made by :func:`guarded`."""

    seconds: float
    head_bytes: int
    connections_wanted: int
    refusal: Refusal | None
    count: Callable[[str], None] | None

    _wire: Joined
    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _received = 0
    _in_head = True
    _surplus = False
    _turned_away = False
    _answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        self._wire = Joined(transport, self.loop)
        super().connection_made(self._wire)
        self._within(self._head_too_slow)

    def data_received(self, data: bytes) -> None:
        """Feed a head up to its limit; what follows it only when it has ended."""
        if not self._in_head:
            self._received += len(data)
            self.feed(data)
            if self._received > self.head_bytes and not self._in_head:
                self._too_large()
            return
        if self._timer is None:
            self._within(self._head_too_slow)
        room = self.head_bytes - self._received
        head, rest = data[:room], data[room:]
        self._received += len(head)
        self.feed(head)
        if not rest or self.transport.is_closing():
            return
        if self._received >= self.head_bytes:
            self._too_large()
        else:
            self.data_received(rest)

    def send_400_response(self, msg: str) -> None:
        """What came is not HTTP; uvicorn would say so in plain text."""
        self._refuse(FaunalensError(ErrorCode.MALFORMED_BODY, "The request cannot be read."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; one that follows the body is thrown away: who decides by headers has not seen it."""
        if self._in_head:
            super().on_header(name, value)

    def head_ended(self) -> None:
        """What comes next is a body; or the request is refused by its head alone."""
        if len(self.pipeline) >= _MOST_AHEAD:
            raise OverflowError("too many requests ahead of their answers")
        self._in_head, self._received = False, 0
        self._stop_waiting()
        self._unset_keepalive_if_required()
        self._surplus = len(self.connections) > self.connections_wanted
        self.scope[SURPLUS] = self._surplus  # type: ignore[literal-required]
        self._turned_away = self._is_plain() and self._turn_away()
        if self._turned_away:
            return
        super().head_ended()
        if not self.pipeline:
            self._answering = self.cycle
        if self.parser.get_http_version() == "1.0":
            unchunk(self.cycle)

    def on_body(self, body: bytes) -> None:
        """A piece of the body; one that was refused is thrown away."""
        self._received = 0
        if not self._turned_away:
            super().on_body(body)

    def request_ended(self) -> None:
        """What comes next is a head."""
        self._in_head, self._received = True, 0
        self._stop_waiting()
        if self._turned_away:
            self._turned_away = False
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
            return
        super().request_ended()
        if self._surplus and self.cycle.response_complete:
            self.transport.close()

    def on_response_complete(self) -> None:
        """What is left of a body that was refused may still arrive, but not for ever."""
        if self.pipeline:
            self._answering = self.pipeline[-1][0]
        super().on_response_complete()
        if not self._in_head:
            self._within(self.transport.close)
        elif self._surplus:
            self.transport.close()

    def pause_writing(self) -> None:
        """The client does not read its answer: wait, but not for ever."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads again."""
        self._stop_waiting_for_reader()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting. uvicorn tells the request that came last only, which may not have begun."""
        self._stop_waiting()
        self._stop_waiting_for_reader()
        self.pipeline.clear()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def _is_plain(self) -> bool:
        """Whether the request may be answered at once: its turn, HTTP/1.1, a client that reads and goes on."""
        first = self.cycle is None or self.cycle.response_complete
        ordinary = self.parser.should_keep_alive() and self.parser.get_http_version() == "1.1"
        aside = self._surplus or self.expect_100_continue or self.parser.should_upgrade() or self.flow.write_paused
        return first and ordinary and not aside

    def _turn_away(self) -> bool:
        """Answer by the head alone, if it is to be refused; the body still comes, but not for ever."""
        self.scope["method"] = self.parser.get_method().decode("ascii")
        refused = type(self).refusal
        answer = refused(self.url, self.scope) if refused else None
        if answer is None:
            return False
        status, rest = answer
        self._write(status, rest)
        self.server_state.total_requests += 1
        self._within(self.transport.close)
        return True

    def _within(self, otherwise: Callable[[], None]) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(self.seconds, otherwise)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_waiting_for_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _too_large(self) -> None:
        message = f"The request line and headers have more than {self.head_bytes} bytes."
        self._refuse(FaunalensError(ErrorCode.HEADERS_TOO_LARGE, message, {"max_bytes": self.head_bytes}))

    def _head_too_slow(self) -> None:
        message = f"The request line and headers took more than {self.seconds:g} seconds."
        self._refuse(FaunalensError(ErrorCode.REQUEST_TIMEOUT, message, {"seconds": self.seconds}))

    def _refuse(self, error: FaunalensError) -> None:
        """Answer outside the application, which has not seen the request, and close."""
        self._stop_waiting()
        if self._may_answer():
            body = json.dumps({"error": error.to_dict()}).encode()
            head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{LINES}\r\n"
            self._write(error.code.status, head.encode() + body)
            if self.cycle is not None and not self.cycle.response_complete:
                # what the application says now reaches nobody, and is not counted
                self.cycle.scope[ANSWERED] = error.code  # type: ignore[literal-required]
            count = type(self).count
            if count:
                count(error.code.code)
        self.transport.close()

    def _write(self, status: int, rest: bytes) -> None:
        """Send a whole answer: its first line, the server's own headers, and the ``rest`` from the next header on."""
        own = b"".join([b"%s: %s\r\n" % header for header in self.server_state.default_headers])
        self._wire.write_whole(STATUS_LINE[status] + own + rest)

    def _may_answer(self) -> bool:
        """Whether no other answer stands before this one; a body that breaks is that of the request under way."""
        if self.cycle is None or self.cycle.response_complete:
            return not self._turned_away
        return not (self._in_head or self.cycle.response_started or self.pipeline)


def guarded(
    seconds: float, head_bytes: int, connections: int, refusal: Refusal | None, count: Callable[[str], None] | None,
    kind: type[GuardedProtocol] = GuardedProtocol,
) -> type[GuardedProtocol]:  # fmt: skip
    """The protocol, or another ``kind`` of it, with these limits.

    ``seconds``: for a head, the rest of a refused body, a client that does not read.
    ``connections``: further ones are marked as surplus in the ASGI scope. ``refusal``: see
    :meth:`service.api.turnstile.Turnstile.refusal`. ``count``: told the code of each refusal that is made here.
    """
    limits = {
        "seconds": seconds, "head_bytes": head_bytes, "connections_wanted": connections, "refusal": refusal,
        "count": count,
    }  # fmt: skip
    return type("Guarded", (kind,), limits)
