"""Calls of many threads, made together: a GPU takes a batch in little more time than one picture.

Nobody waits for a batch to fill. While one runs, the next gathers: with a single caller every batch is one picture, and
the busier it gets, the larger they are.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Outputs = Sequence[NDArray[np.float32]]


class _Part:
    """What one thread asked for, and what came of it."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self.outputs: Outputs | None = None
        self.error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.outputs is not None or self.error is not None


class Together:
    """``call`` (uint8 ``[N, ...]`` to arrays ``[N, ...]``) for many threads, at most ``most`` pictures at once.

    The thread whose turn it is calls for all that wait. A batch is filled up to a power of two with copies of its last
    picture, because GPU libraries prepare themselves anew for each size they meet.
    """

    def __init__(self, call: Callable[[Pixels], Outputs], most: int) -> None:
        self._call = call
        self._most = most
        self._gathering: deque[_Part] = deque()
        self._turn = threading.Lock()

    def __call__(self, pixels: Pixels) -> Outputs:
        """The outputs for ``pixels`` ``[N, ...]``; raises what the call for them raised."""
        part = _Part(pixels)
        self._gathering.append(part)
        with self._turn:
            while not part.done:
                self._run()
        if part.error is not None:
            raise part.error
        assert part.outputs is not None
        return part.outputs

    def _run(self) -> None:
        parts = [self._gathering.popleft()]
        count = len(parts[0].pixels)
        while self._gathering and count + len(self._gathering[0].pixels) <= self._most:
            parts.append(self._gathering.popleft())
            count += len(parts[-1].pixels)
        try:
            outputs = self._call(_filled([part.pixels for part in parts], count))
        except BaseException as error:
            # whatever it is, everybody in the batch must be told
            for part in parts:
                part.error = error
            return
        start = 0
        for part in parts:
            end = start + len(part.pixels)
            # not a view: who keeps one of it for a while would keep the whole batch
            part.outputs = [output[start:end].copy() for output in outputs]
            start = end


def _filled(pieces: list[Pixels], count: int) -> Pixels:
    size = 1 << (count - 1).bit_length()
    last = pieces[-1][-1:]
    return np.concatenate([*pieces, *[last] * (size - count)])
