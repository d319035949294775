"""Who may come in: a bound on pictures held, and a bound on the time a picture would wait.

A request asks at the door, before its body is read, and again when its first picture joins the line. It is refused at
once when

- ``queue`` requests are inside, or its flow already holds more of them than are left free
  (:mod:`service.runtime.slots`);
- or its turn would come later than ``max_wait`` seconds, or ``max_ratio`` mean times of a picture. The expected wait is
  the turns before it, times the mean time of a picture, divided by the threads. With a ratio of 3, four requests a
  thread are taken, and the longest answer takes four times as long as one that did not wait.

Not thread-safe: all calls come from the event loop. Only ``running`` and :meth:`Admission.learn` belong to the threads,
under their lock (:mod:`service.runtime.workers`).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from service.errors import ErrorCode, FaunalensError
from service.runtime.slots import Slots

_FIRST_GUESS = 0.1
_SMOOTHING = 0.1
_UNREADY, _READY_AGAIN = 0.8, 0.5


@dataclass(eq=False, slots=True)
class Ticket:
    """One request inside. ``deadline``: on the admission's clock, seconds; work that has not begun by then is dropped.

    ``seated``: one of its pictures has joined the line, so that the others are no longer asked about the wait.
    """

    flow: str
    deadline: float
    seated: bool = False


class Admission:
    """The bookkeeping of the door.

    ``max_wait`` in seconds, ``max_ratio`` in mean times of a picture; ``before(flow)``: the pictures that run, and the
    turns before a newcomer of ``flow``.
    """

    def __init__(
        self,
        threads: int,
        queue: int,
        max_wait: float,
        max_ratio: float,
        before: Callable[[str], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.threads = threads
        self.max_wait = max_wait
        self.max_ratio = max_ratio
        self.clock = clock
        self.service_seconds = _FIRST_GUESS
        self.running = 0
        self._before = before
        self._slots = Slots(queue)
        self._busy = False

    @property
    def inside(self) -> int:
        """Requests that hold a ticket."""
        return self._slots.taken

    def enter(self, flow: str, seconds: float) -> Ticket:
        """A ticket for one request with ``seconds`` until its deadline; raises ``overloaded``."""
        self.check(flow, seconds)
        self._slots.take(flow)
        return Ticket(flow, self.clock() + seconds)

    def check(self, flow: str, seconds: float, coming: int = 0) -> None:
        """Raises what :meth:`enter` would after ``coming`` others of the flow had come in; lets nobody in."""
        if not self._slots.has_room(flow, 1 + coming):
            raise self._full(self.wait(flow))
        self._check_wait(flow, seconds, coming)

    def leave(self, ticket: Ticket) -> None:
        """Give the ticket back, once."""
        self._slots.give_back(ticket.flow)

    def sit(self, ticket: Ticket) -> None:
        """Ask for a place in the line.

        Raises ``overloaded`` when the line has grown since the door, ``deadline_exceeded`` when it is too late.
        """
        left = ticket.deadline - self.clock()
        if left <= 0:
            raise too_late()
        if not ticket.seated:
            self._check_wait(ticket.flow, left)
            ticket.seated = True

    def wait(self, flow: str) -> float:
        """Seconds until a newcomer of ``flow`` would begin, as expected now."""
        return self._rounds(flow) * self.service_seconds

    def learn(self, seconds: float) -> None:
        """Take the time of one finished picture into the mean (exponentially weighted, 0.1)."""
        self.service_seconds += _SMOOTHING * (seconds - self.service_seconds)

    def ready(self, waiting: int) -> bool:
        """Whether more work should be sent here; ``waiting``: pictures in line.

        Turns off at 80 % of a bound and on again below 50 %, so that it does not flutter.
        """
        self._busy = self._pressure(waiting) >= (_READY_AGAIN if self._busy else _UNREADY)
        return not self._busy

    def _pressure(self, waiting: int) -> float:
        """How near the nearer of the two bounds is; 1: newcomers are refused."""
        # threads that have not yet seen that there is work take theirs out of the line
        left = waiting + self.running - self.threads
        rounds = (left + 1) / self.threads
        nearest = max(rounds / self.max_ratio, rounds * self.service_seconds / self.max_wait)
        line = min(nearest, left / self.threads)
        room = self._slots.of_largest / (self._slots.most - self._slots.taken + 1)
        return max(line, room)

    def _rounds(self, flow: str, coming: int = 0) -> float:
        """How many times the threads take pictures until a newcomer of ``flow`` has its turn; 0: one is free."""
        return max(0, self._before(flow) + coming + 1 - self.threads) / self.threads

    def _check_wait(self, flow: str, seconds: float, coming: int = 0) -> None:
        """One round of waiting is always allowed, so that slow pictures do not leave threads without work."""
        rounds = self._rounds(flow, coming)
        wait = rounds * self.service_seconds
        if rounds > 1 and (rounds > self.max_ratio or wait > min(self.max_wait, seconds)):
            raise self._full(wait)

    def _full(self, wait: float) -> FaunalensError:
        details = {"queue": self._slots.most, "inside": self._slots.taken, "expected_wait_ms": round(wait * 1e3)}
        message = "The service is full; try again shortly."
        return FaunalensError(ErrorCode.OVERLOADED, message, details, retry_after=max(1, math.ceil(wait)))


def too_late() -> FaunalensError:
    """The error of work whose deadline passed before it began."""
    return FaunalensError(
        ErrorCode.DEADLINE_EXCEEDED, "The request's deadline passed before its work began; nothing was judged."
    )
