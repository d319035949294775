"""Shadow mode: a second model sees a share of the pictures after their answers went out, and changes none of them.

One thread of the lowest priority works through a short queue. A picture is dropped when the queue is full or the
service has pictures in line, so that shadowing never delays an answer. What is kept is numbers: how often the verdicts
differ, and by how much the scores do. No picture outlives its turn.
"""

import contextlib
import logging
import queue
import random
import threading
from collections.abc import Callable

from service.answer import Answer
from service.detector import Detector
from service.errors import FaunalensError
from service.runtime.workers import LAST, step_back
from service.telemetry.metrics import ShadowMetrics

log = logging.getLogger("faunalens.shadow")
_DEPTH = 4


class Shadow:
    """The second model. ``share``: of the pictures, 0 to 1; ``busy``: whether the service has pictures in line."""

    def __init__(self, detector: Detector, share: float, busy: Callable[[], bool], metrics: ShadowMetrics) -> None:
        self.detector = detector
        self._share = share
        self._busy = busy
        self._metrics = metrics
        self._queue: queue.Queue[tuple[bytes, Answer] | None] = queue.Queue(_DEPTH)
        self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
        self._thread.start()

    async def offer(self, data: bytes, answer: Answer) -> None:
        """Take the picture if its turn comes up; never waits, never raises."""
        if random.random() >= self._share:
            return
        if self._busy():
            self._metrics.pictures.labels("dropped").inc()
            return
        try:
            self._queue.put_nowait((data, answer))
        except queue.Full:
            self._metrics.pictures.labels("dropped").inc()

    def close(self) -> None:
        """Drop what waits; the picture at work is finished by its thread."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        self._queue.put(None)

    def _work(self) -> None:
        step_back(LAST)
        while (item := self._queue.get()) is not None:
            if self._busy():
                self._metrics.pictures.labels("dropped").inc()
            else:
                self._compare(*item)
            # the next one may be long in coming
            del item

    def _compare(self, data: bytes, live: Answer) -> None:
        try:
            shadow = self.detector.answer(data, live.request_id, self.detector.policy(live.policy.name))
        except FaunalensError as error:
            self._metrics.pictures.labels("failed").inc()
            log.warning("request %s: the shadow model gave %s", live.request_id, error.code.code)
            return
        except Exception:
            self._metrics.pictures.labels("failed").inc()
            log.exception("request %s: the shadow model failed", live.request_id)
            return
        self._metrics.verdicts.labels(live.verdict, shadow.verdict).inc()
        for category in live.scores.keys() & shadow.scores.keys():
            self._metrics.differences.labels(category).observe(abs(live.scores[category] - shadow.scores[category]))
        if live.verdict != shadow.verdict:
            log.info(
                "request %s: %s by %s, %s by the shadow model %s",
                live.request_id, live.verdict, live.model.sha256[:12], shadow.verdict, shadow.model.sha256[:12],
            )  # fmt: skip
        # the last thing, so that whoever reads it finds all of this picture counted
        self._metrics.pictures.labels("judged").inc()
