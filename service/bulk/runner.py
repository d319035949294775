"""Judges the pictures of batches on threads of the lowest priority, while nobody waits for an answer.

A thread looks before each picture whether the service has pictures of live requests. If it has, the thread waits, at
most a second for one picture, so that a batch ends under any load. Decoder processes are its own.
"""

import json
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from service.detector import Detector
from service.errors import ErrorCode, FaunalensError, told
from service.fingerprint import fingerprints
from service.runtime.workers import LAST, step_back
from service.store.claims import Claimed, Claims
from service.store.outcomes import Outcome, Sample
from service.store.photos import Photos
from service.store.tallies import Tallies
from service.telemetry.metrics import Metrics

log = logging.getLogger("faunalens.batches")
_PATIENCE_SECONDS, _LOOK_SECONDS, _IDLE_SECONDS = 1.0, 0.01, 0.5
_JOIN_SECONDS = 20
_FETCHES = 4
_AGAIN_SECONDS = 5.0
# what may pass at the address of a picture, and what is no fault of the picture, with seconds until it is tried again
_PASSING = frozenset({ErrorCode.URL_UNREACHABLE, ErrorCode.URL_TOO_SLOW})
_OURS = {ErrorCode.STORE_UNAVAILABLE: 15.0, ErrorCode.OVERLOADED: 5.0, ErrorCode.NOT_READY: 5.0}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the runner needs of the service.

    ``detector``: the model in use, None while there is none; ``busy``: whether live requests have pictures here;
    ``fetch``: the bytes behind a URL, None where URLs are not taken; ``audit_rate``: share of the photos without a
    finding that are sent to review.
    """

    detector: Callable[[], Detector | None]
    busy: Callable[[], bool]
    fetch: Callable[[str], bytes] | None
    metrics: Metrics
    tallies: Tallies
    audit_rate: float = 0.0


class Runner:
    """``threads`` threads. ``keep``: seconds that photos with findings are kept."""

    def __init__(self, claims: Claims, photos: Photos, surroundings: Surroundings, threads: int, keep: float) -> None:
        self._claims = claims
        self._photos = photos
        self._around = surroundings
        self._keep = keep
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._lock = threading.Lock()
        self._in_hand: set[int] = set()
        self._live: Detector | None = None
        self._aside: Detector | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"batches-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    @property
    def in_hand(self) -> tuple[int, ...]:
        """Items that are being judged."""
        return tuple(self._in_hand.copy())

    def wake(self) -> None:
        """There is something to do."""
        self._news.set()

    def close(self) -> None:
        """Finish the pictures at work, as far as they end within some seconds, and stop; raises nothing."""
        self._stopping.set()
        self._news.set()
        until = time.monotonic() + _JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        if self._aside:
            self._aside.decoders.close()

    def _work(self) -> None:
        step_back(LAST)
        while not self._stopping.is_set():
            pause = _AGAIN_SECONDS
            try:
                pause = 0.0 if self._one() else _IDLE_SECONDS
            except FaunalensError as error:
                log.error("batches wait: %s", told(error))
            except Exception:
                log.exception("batches wait")
            if pause:
                self._news.wait(pause)
                self._news.clear()

    def _one(self) -> bool:
        """Judge one picture; false when there was none."""
        detector = self._detector()
        if detector is None or not self._claims.any_ready():
            return False
        self._give_way()
        claimed = None if self._stopping.is_set() else self._claims.take()
        if claimed is None:
            return False
        self._in_hand.add(claimed.id)
        try:
            self._finish(claimed, detector)
        finally:
            # what could not be finished is not renewed, so it comes free when its lease ends
            self._in_hand.discard(claimed.id)
        return True

    def _finish(self, claimed: Claimed, detector: Detector) -> None:
        try:
            outcome = self._outcome(claimed, detector)
        except FaunalensError as error:
            if error.code in _OURS:
                log.error("batches wait: %s", told(error))
                self._around.metrics.failures(error.code.code).inc()
                self._claims.put_back(claimed, _OURS[error.code], counted=False)
                return
            if error.code in _PASSING and claimed.attempts < _FETCHES:
                self._claims.put_back(claimed, _AGAIN_SECONDS * 2 ** (claimed.attempts - 1))
                return
            outcome = _failed(claimed, error)
        except Exception as error:
            log.error("unexpected %s in batch %s", type(error).__name__, claimed.batch_id, exc_info=error)
            outcome = _failed(claimed, FaunalensError(ErrorCode.INTERNAL_ERROR, "Something went wrong here."))
        if self._claims.finish(claimed, outcome):
            self._count(claimed, outcome)
            # of an address nothing lies there but what an earlier try left: a request for nothing in an object store
            if not outcome.keep and (claimed.url is None or claimed.attempts > 1):
                self._photos.delete(claimed.batch_id, claimed.position)

    def _outcome(self, claimed: Claimed, detector: Detector) -> Outcome:
        if claimed.refusal:
            return Outcome(None, {**json.loads(claimed.refusal), "request_id": claimed.batch_id})
        if self._claims.worn(claimed):
            raise FaunalensError(ErrorCode.INTERNAL_ERROR, "The service stopped each time that it took this picture.")
        data = self._bytes(claimed)
        picture, policy = detector.decode(data), detector.policy(claimed.policy)
        # a photo without finding is drawn at the rate of the random sample
        rate = self._around.audit_rate
        drawn = random.random() < rate
        seen = detector.see(picture, policy=None if drawn else policy)
        answer = detector.answer(seen, claimed.batch_id, policy)
        sample = None
        if drawn and not answer.findings:
            sample = Sample(rate, detector.candidate(seen, policy), random.random())
        wanted = bool(answer.findings or sample)
        keep = self._keep if wanted else 0.0
        stored = bool(keep and claimed.url)
        hashes = fingerprints(picture.pixels) if wanted else ()
        # after a stall somebody else may have judged other bytes, which are not to be written over
        if stored and self._claims.holds(claimed):
            self._photos.write(claimed.batch_id, claimed.position, data)
        return Outcome(answer, keep=keep, stored=stored, fingerprints=hashes, sample=sample)

    def _bytes(self, claimed: Claimed) -> bytes:
        if claimed.url is None:
            return self._photos.read(claimed.batch_id, claimed.position)
        if self._around.fetch is None:
            raise FaunalensError(ErrorCode.URL_NOT_ALLOWED, "Pictures by URL are not taken here any more.")
        return self._around.fetch(claimed.url)

    def _count(self, claimed: Claimed, outcome: Outcome) -> None:
        self._around.metrics.batch_results.inc()
        if outcome.error:
            self._around.metrics.failures(outcome.error["code"]).inc()
        if answer := outcome.answer:
            self._around.tallies.add("batch", claimed.source, answer)
            categories = [finding.category for finding in answer.findings]
            self._around.metrics.judged(answer.verdict, categories, answer.timing_ms)

    def _give_way(self) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        while self._around.busy() and time.monotonic() < until and not self._stopping.is_set():
            time.sleep(_LOOK_SECONDS)

    def _detector(self) -> Detector | None:
        """The model in use with decoders of its own; another one after a reload.

        The decoders of the one before stop when the last thread that has taken a picture for it lets go of it.
        """
        with self._lock:
            live = self._around.detector()
            if live is not self._live and live is not None:
                self._aside, self._live = live.aside(len(self._threads)), live
            return self._aside


def _failed(claimed: Claimed, error: FaunalensError) -> Outcome:
    return Outcome(None, error.to_dict(claimed.batch_id))
