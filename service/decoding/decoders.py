"""Where a picture is decoded: here when its header proves it cheap, else in a process that can be stopped.

A thread can't be stopped, and a decoder that crashes takes its process along. So whatever :mod:`service.decoding.cost`
does not vouch for goes to one of a few decoder processes, under a deadline and a bound on memory. A process that passes
either, or crashes, is replaced: its picture is refused, and nobody else notices.
"""

import contextlib
import dataclasses
import os
import queue
import signal
import socket
import subprocess
import time
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service import imaging
from service.contract import Preprocessing
from service.decoding import wire
from service.decoding.believing import read_answer
from service.decoding.cost import proven_cheap
from service.decoding.starting import started
from service.errors import ErrorCode, FaunalensError, StartError

_START_SECONDS = 30.0
# no picture waits for the first, and to give up ends the service, where many services start on one machine
_FIRST_SECONDS = 120.0
_RECYCLE_AFTER = 1_000
_MEMORY = "/proc/self/statm"


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """What decoding one picture may take: seconds of processor time, and bytes of memory beside the idle process.

    ``patience``: how many times as long it may take by the clock, for work that gets no processor while others want it.
    """

    seconds: float = 10.0
    memory: int = 1_500_000_000
    patience: float = 1.0

    @property
    def wait(self) -> float:
        """Seconds that a picture may take by the clock."""
        return self.seconds * self.patience


class Decoders:
    """At most ``count`` decoder processes, the first started at once. Safe to call from many threads.

    ``confined``: whether the system keeps them from other processes (:mod:`service.decoding.landlock`). They stop when
    nobody refers to this any more. Raises :class:`StartError` when the first does not start.
    """

    def __init__(self, count: int, limits: imaging.Limits, bounds: Bounds) -> None:
        self.limits = limits
        self.bounds = bounds
        self._idle: queue.LifoQueue[_Process | None] = queue.LifoQueue()
        for _ in range(count - 1):
            self._idle.put(None)
        first = _Process(limits, bounds, _FIRST_SECONDS)
        self.confined = first.confined
        self._idle.put(first)
        self._close = weakref.finalize(self, _stop_all, self._idle)

    def isolates(self, data: bytes) -> bool:
        """Whether ``data`` would go to a decoder process."""
        return not proven_cheap(data)

    def prepare(
        self, data: bytes, rule: Preprocessing, tolerate_truncated: bool = False
    ) -> tuple[imaging.Header, NDArray[np.uint8]]:
        """As :func:`service.imaging.prepare`, under the bounds.

        ``tolerate_truncated``: a picture that breaks off is decoded as far as it goes, and its header says so. Raises
        what :func:`service.imaging.decode` does, ``decode_deadline``, and ``decoder_stopped``.
        """
        try:
            if proven_cheap(data):
                return imaging.prepare(data, self.limits, rule)
            return self._isolated(data, rule=rule.model_dump())
        except FaunalensError as error:
            if not tolerate_truncated or error.code is not ErrorCode.TRUNCATED_IMAGE:
                raise
        header, pixels = self._isolated(data, rule=rule.model_dump(), tolerate_truncated=True)
        return dataclasses.replace(header, truncated=True), pixels

    def view(self, data: bytes, side: int, tolerate_truncated: bool = False) -> Image.Image:
        """As :func:`service.imaging.view`, upright RGB with no side over ``side`` pixels, under the bounds."""
        if proven_cheap(data) and not tolerate_truncated:
            return imaging.view(data, self.limits, side).rgb
        return Image.fromarray(self._isolated(data, side=side, tolerate_truncated=tolerate_truncated)[1])

    def close(self) -> None:
        """Stop the processes at once; nobody may be using them, or use them again."""
        self._close()

    def _isolated(
        self,
        data: bytes,
        rule: dict[str, Any] | None = None,
        side: int | None = None,
        tolerate_truncated: bool = False,
    ) -> tuple[imaging.Header, NDArray[np.uint8]]:
        imaging.check_bytes(data, self.limits)
        sides = range(rule["size"], rule["size"] + 1) if rule else range(1, (side or 0) + 1)
        request = {"rule": rule, "side": side, "tolerate_truncated": tolerate_truncated}
        with self._process() as process:
            answer = process.ask(request, data)
            try:
                found = read_answer(*answer, data, self.limits, sides)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                # one that lies is not asked again
                raise _stopped() from error
        if isinstance(found, FaunalensError):
            raise found
        return found

    @contextlib.contextmanager
    def _process(self) -> Iterator["_Process"]:
        process = self._idle.get()
        try:
            if process is None or process.worn:
                _stop(process)
                process = None
                process = self._replace()
            yield process
        except BaseException:
            _stop(process)
            process = None
            raise
        finally:
            self._idle.put(process)

    def _replace(self) -> "_Process":
        try:
            return _Process(self.limits, self.bounds, _START_SECONDS)
        except StartError as error:
            message = "No decoder can be started; try again shortly."
            raise FaunalensError(ErrorCode.OVERLOADED, message) from error


class _Process:
    """One decoder process and its socket."""

    def __init__(self, limits: imaging.Limits, bounds: Bounds, seconds: float) -> None:
        self.bounds = bounds
        self.answered = 0
        self.most = imaging.MAX_VIEW_SIDE**2 * 3
        ours, theirs = _pair()
        self.channel = wire.Channel(ours)
        with theirs:
            try:
                self.popen = started(theirs)
            except OSError as error:
                self.channel.close()
                raise StartError("a decoder process cannot be started") from error
        self.channel.until = time.monotonic() + seconds * bounds.patience
        bound = {"limits": dataclasses.astuple(limits), "wait": bounds.wait, **dataclasses.asdict(bounds)}
        try:
            self.channel.send(bound)
            self.confined = bool(self.channel.receive(0)[0].get("confined"))
        except (OSError, EOFError, ValueError) as error:
            self.stop()
            raise StartError(f"a decoder process does not start{_wanting()}") from error

    @property
    def worn(self) -> bool:
        """Whether a fresh process should take the next picture."""
        return self.answered >= _RECYCLE_AFTER or self.popen.poll() is not None

    def ask(self, request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytearray]:
        """Have one picture decoded; raises ``decode_deadline`` or ``decoder_stopped``."""
        self.answered += 1
        try:
            self.channel.until = time.monotonic() + self.bounds.wait
            self.channel.send(request, data)
            return self.channel.receive(self.most)
        except TimeoutError as error:
            raise self._late() from error
        except (OSError, EOFError, ValueError) as error:
            raise self._late() if self._took_too_long() else _stopped() from error

    def _took_too_long(self) -> bool:
        """Whether the process ended because it took more processor time than it may."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.popen.wait(1) == -signal.SIGXCPU
        return False

    def _late(self) -> FaunalensError:
        seconds = self.bounds.seconds
        message = f"Decoding the image took more than {seconds:g} seconds."
        return FaunalensError(ErrorCode.DECODE_DEADLINE, message, {"seconds": seconds})

    def stop(self) -> None:
        """End the process at once."""
        self.channel.close()
        self.popen.kill()
        self.popen.wait()


def _wanting() -> str:
    """Why none does, where that is known: newcomers try it on a Mac."""
    return "" if os.path.exists(_MEMORY) else f": it needs Linux, or another system with {_MEMORY}"


def _pair() -> tuple[socket.socket, socket.socket]:
    try:
        return socket.socketpair()
    except OSError as error:
        raise StartError("a decoder process cannot be started") from error


def _stopped() -> FaunalensError:
    return FaunalensError(ErrorCode.DECODER_STOPPED, "The image crashed its decoder.")


def _stop(process: _Process | None) -> None:
    if process is not None:
        process.stop()


def _stop_all(idle: "queue.LifoQueue[_Process | None]") -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            _stop(idle.get_nowait())
