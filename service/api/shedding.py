"""The server's protocol under a flood: who repeats a refused request is refused by the bytes of its head.

Beyond some thousand refusals a second, what a refusal costs decides how many pictures are judged. The parser, its calls
and the timers of each request cost more than the refusal itself; they are left out where nothing can differ
(:mod:`service.api.repeats`). Everything else takes the common way through :mod:`service.api.protocol`.
"""

from collections import deque
from collections.abc import Callable

from service.api.protocol import GuardedProtocol
from service.api.repeats import Repeat, learned
from service.api.turnstile import ASKED, Asked

Bytes = bytes | memoryview
Again = Callable[[Asked, str, tuple[str, int] | None], tuple[int, bytes] | None]
Known = tuple[Repeat, Asked]
# heads that connections take over from others; each that is not the one costs a new connection half a microsecond
_RECENT = 8


class SheddingProtocol(GuardedProtocol):
    """One connection. ``again`` is set on a subclass made by :func:`shedding`.

    ``recent``: what its connections were refused, the last first. In a flood clients open new ones, whose first request
    would be the dearest.
    """

    again: Again
    recent: deque[Known]

    _repeat: Known | None = None
    _data: Bytes = b""
    _begun = False
    _passed = False
    _unread_body = 0
    _asleep_since = 0.0

    def data_received(self, data: Bytes) -> None:
        """Refuse what is refused again; the rest is for the parser."""
        while data:
            if self._unread_body:
                data = self._throw_away(data)
                continue
            rest = self._refused_again(data) if self._is_between() else None
            if rest is None:
                break
            data = rest
        if data:
            self._data = data
            super().data_received(data)  # type: ignore[arg-type]
            self._data, self._passed = b"", False

    def on_message_begin(self) -> None:
        """The parser has the first byte of a request."""
        self._begun = True
        super().on_message_begin()

    def request_ended(self) -> None:
        """The next byte is that of another request."""
        self._begun = False
        super().request_ended()

    def timeout_keep_alive_handler(self) -> None:
        """The connection was idle for long, unless requests were refused since, which do not set the clock anew."""
        left = self._asleep_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0 or self.transport.is_closing():
            super().timeout_keep_alive_handler()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)

    def _turn_away(self) -> bool:
        """Keep in mind what is refused; who was just let through is not asked twice, which would take two places."""
        passed, self._passed = self._passed, False
        if passed or not super()._turn_away():
            return False
        repeat = learned(bytes(self._data[: self.head_bytes]), b"POST %s HTTP/1.1" % self.url, self.headers)
        if repeat:
            self._repeat = repeat, self.scope[ASKED]  # type: ignore[literal-required]
            self.recent.appendleft(self._repeat)
        return True

    def _is_between(self) -> bool:
        """Whether a request may begin here and be answered at once."""
        if self._begun or self.pipeline or self.flow.write_paused:
            return False
        first = self.cycle is None or self.cycle.response_complete
        return first and len(self.connections) <= self.connections_wanted

    def _refused_again(self, data: Bytes) -> Bytes | None:
        """What follows the request with which ``data`` begins, as far as it is there; None: it is not refused here."""
        if self._repeat is None:
            self._repeat = next((known for known in self.recent if known[0].seen(data)), None)
        if self._repeat is None:
            return None
        repeat, asked = self._repeat
        seen = repeat.seen(data)
        answer = self.again(asked, seen.request_id, self.client) if seen else None
        if seen is None or answer is None:
            # the parser has it next
            self._passed = seen is not None
            return None
        self._write(*answer)
        self.server_state.total_requests += 1
        rest = data[seen.head + seen.body :]
        self._unread_body = max(0, seen.head + seen.body - len(data))
        if self._unread_body:
            self._unset_keepalive_if_required()
            self._within(self.transport.close)
        else:
            self._sleep()
        return rest

    def _throw_away(self, data: Bytes) -> Bytes:
        """What follows the body of which ``data`` is a piece."""
        rest = data[self._unread_body :]
        self._unread_body = max(0, self._unread_body - len(data))
        if not self._unread_body:
            self._sleep()
        return rest

    def _sleep(self) -> None:
        """Wait for the next request, but not for ever."""
        self._stop_waiting()
        self._asleep_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )


def shedding(again: Again) -> type[SheddingProtocol]:
    """The protocol with :meth:`service.api.turnstile.Turnstile.again`, for :func:`service.api.protocol.guarded`."""
    own = {"again": staticmethod(again), "recent": deque[Known](maxlen=_RECENT)}
    return type("Shedding", (SheddingProtocol,), own)
