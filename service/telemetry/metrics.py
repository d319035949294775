"""Prometheus metrics: requests, latency by stage, verdicts, findings by category, queue. No photo, name or address."""

import functools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.answer import ModelName
from service.errors import ErrorCode
from service.policy import Verdict
from service.runtime.workers import Workers
from service.telemetry import logs

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_DIFFERENCES = (0.0001, 0.001, 0.01, 0.03, 0.1, 0.3, 1.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _DroppedLines(Collector):
    """Reads the process's counter."""

    def collect(self) -> Iterable[Metric]:
        yield CounterMetricFamily("faunalens_log_lines_dropped", "Log lines lost", value=logs.dropped_lines())


class Backlog(Protocol):
    """How many wait, and for how many seconds the oldest does, 0 where none waits."""

    @property
    def count(self) -> int: ...
    @property
    def seconds(self) -> float: ...


class Shifted(Protocol):
    """What is told of the drift of a category."""

    @property
    def category(self) -> str: ...
    @property
    def psi(self) -> float | None: ...
    @property
    def ratio(self) -> float | None: ...
    @property
    def alerts(self) -> tuple[str, ...]: ...


class DriftMetrics:
    """Whether scores or shares of categories are not what they were; filled where batches are on."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._psi = Gauge(
            "faunalens_drift_psi", "Population stability index of the scores", ["category"], registry=registry
        )
        self._ratio = Gauge(
            "faunalens_drift_share_ratio", "Share of findings, lately over before", ["category"], registry=registry
        )
        self._alert = Gauge(
            "faunalens_drift_alert", "1: scores or share of the category drifted", ["category", "what"],
            registry=registry,
        )  # fmt: skip

    def tell(self, shifts: Iterable[Shifted]) -> None:
        """Show these from now on; what cannot be said is left out."""
        self._psi.clear()
        self._ratio.clear()
        self._alert.clear()
        for shift in shifts:
            if shift.psi is not None:
                self._psi.labels(shift.category).set(shift.psi)
            if shift.ratio is not None:
                self._ratio.labels(shift.category).set(shift.ratio)
            for what in ("scores", "share"):
                self._alert.labels(shift.category, what).set(what in shift.alerts)


@dataclass(frozen=True, slots=True)
class _Told:
    """``waiting`` as it was at ``moment`` of the monotonic clock."""

    waiting: Backlog
    moment: float

    @property
    def age(self) -> float:
        """For how many seconds the oldest waits now."""
        return self.waiting.seconds + time.monotonic() - self.moment if self.waiting.count else 0.0


class BacklogMetrics(Collector):
    """What waits in the store of batches; nothing is said where batches are off, and while the store is away."""

    def __init__(self) -> None:
        self._pictures: _Told | None = None
        self._photos: dict[str, _Told] = {}

    def tell_pictures(self, waiting: Backlog | None) -> None:
        """Pictures of batches without a result; None: not known."""
        self._pictures = _Told(waiting, time.monotonic()) if waiting else None

    def tell_photos(self, waiting: Mapping[str, Backlog]) -> None:
        """Photos without a decision, by state; empty: not known."""
        self._photos = {state: _Told(of_state, time.monotonic()) for state, of_state in waiting.items()}

    def collect(self) -> Iterable[Metric]:
        """Ages are those of this moment."""
        count = GaugeMetricFamily("faunalens_batch_pictures_waiting", "Pictures of batches without a result")
        age = GaugeMetricFamily("faunalens_batch_oldest_seconds", "Since the oldest of these came; 0: none waits")
        if told := self._pictures:
            count.add_metric([], told.waiting.count)
            age.add_metric([], told.age)
        photos = GaugeMetricFamily("faunalens_review_photos", "Photos without a decision", labels=["state"])
        ages = GaugeMetricFamily(
            "faunalens_review_oldest_seconds", "Since the oldest of these was judged; 0: none", labels=["state"]
        )
        for state, told in self._photos.items():
            photos.add_metric([state], told.waiting.count)
            ages.add_metric([state], told.age)
        return count, age, photos, ages


class ShadowMetrics:
    """How the shadow model differs from the live one; the categories are those of the catalogue."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.pictures = Counter(
            "faunalens_shadow_pictures", "Pictures offered to the shadow model", ["outcome"], registry=registry
        )
        self.verdicts = Counter(
            "faunalens_shadow_verdicts", "Verdicts of the live and the shadow model", ["live", "shadow"],
            registry=registry,
        )  # fmt: skip
        self.differences = Histogram(
            "faunalens_shadow_difference", "Absolute difference of the calibrated probabilities", ["category"],
            buckets=_DIFFERENCES, registry=registry,
        )  # fmt: skip


class Metrics:
    """One registry per application, so that several may live in one process.

    ``keys_stale``: for how many seconds the key store could not be used.
    """

    def __init__(self, workers: Workers, keys_stale: Callable[[], float] = lambda: 0.0) -> None:
        self.registry = CollectorRegistry()
        # finding a series costs more than counting in it; labels take few values
        self.requests = functools.cache(
            Counter("faunalens_requests", "HTTP requests", ["method", "route", "status"], registry=self.registry).labels
        )
        self.request_seconds = functools.cache(
            Histogram(
                "faunalens_request_seconds", "Time to answer a request", ["route"], buckets=_SECONDS,
                registry=self.registry,
            ).labels
        )  # fmt: skip
        self.stage_seconds = Histogram(
            "faunalens_stage_seconds", "Time per picture and stage", ["stage"], buckets=_SECONDS, registry=self.registry
        )
        self.verdicts = Counter("faunalens_verdicts", "Pictures by verdict", ["verdict"], registry=self.registry)
        self.findings = Counter("faunalens_findings", "Findings by category", ["category"], registry=self.registry)
        self.failures = functools.cache(
            Counter(
                "faunalens_failures", "Pictures not judged, requests refused, chores failed", ["code"],
                registry=self.registry,
            ).labels
        )  # fmt: skip
        self.reloads = Counter("faunalens_reloads", "Reloads of the model", ["outcome"], registry=self.registry)
        self.cache = Counter(
            "faunalens_cache", "Pictures looked up among those seen a moment ago", ["outcome"], registry=self.registry
        )
        self.batch_results = Counter(
            "faunalens_batch_results", "Pictures of batches that got a result here", registry=self.registry
        )
        self.webhooks = Counter("faunalens_webhooks", "Webhooks sent", ["outcome"], registry=self.registry)
        self.backlog = BacklogMetrics()
        self.registry.register(self.backlog)
        self.shadow = ShadowMetrics(self.registry)
        self.drift = DriftMetrics(self.registry)
        self._model = Gauge("faunalens_model", "1: this model answers", ["name", "sha256"], registry=self.registry)
        self.registry.register(_DroppedLines())
        self._begin_at_zero()
        self._gauge("faunalens_queue", "Pictures waiting or running", lambda: workers.pending)
        self._gauge("faunalens_inside", "Requests for a judgement inside", lambda: workers.admission.inside)
        self._gauge(
            "faunalens_picture_seconds", "Mean time of a picture on a thread", lambda: workers.admission.service_seconds
        )

        self._gauge("faunalens_keys_stale_seconds", "Since the key store failed; 0: it can be used", keys_stale)

    def _begin_at_zero(self) -> None:
        """Series that exist from the start: otherwise ``increase()`` misses the first of each kind."""
        for code in ErrorCode:
            self.failures(code.code)
        for verdict in get_args(Verdict):
            self.verdicts.labels(verdict)
        for outcome in ("done", "rejected"):
            self.reloads.labels(outcome)
        for outcome in ("hit", "miss"):
            self.cache.labels(outcome)
        for outcome in ("delivered", "refused", "abandoned"):
            self.webhooks.labels(outcome)

    def _gauge(self, name: str, words: str, value: Callable[[], float]) -> None:
        Gauge(name, words, registry=self.registry).set_function(value)

    def model(self, model: ModelName) -> None:
        """Say which model answers from now on."""
        self._model.clear()
        self._model.labels(model.name, model.sha256).set(1)

    def judged(self, verdict: str, categories: Iterable[str], milliseconds: Mapping[str, float]) -> None:
        """Count one picture: its verdict, the categories found, and milliseconds by stage."""
        for stage, duration in milliseconds.items():
            self.stage_seconds.labels(stage).observe(duration / 1e3)
        self.verdicts.labels(verdict).inc()
        for category in categories:
            self.findings.labels(category).inc()

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
