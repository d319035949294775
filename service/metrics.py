"""Prometheus metrics: requests, latency by stage, verdicts, findings by category, queue. No photo, name or address."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from service.answer import Answer

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One registry per application, so that several may live in one process."""

    def __init__(self, pending: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "faunalens_requests", "HTTP requests", ["method", "route", "status"], registry=self.registry
        )
        self.request_seconds = Histogram(
            "faunalens_request_seconds", "Time to answer a request", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.stage_seconds = Histogram(
            "faunalens_stage_seconds", "Time per picture and stage", ["stage"], buckets=_SECONDS, registry=self.registry
        )
        self.verdicts = Counter("faunalens_verdicts", "Pictures by verdict", ["verdict"], registry=self.registry)
        self.findings = Counter("faunalens_findings", "Findings by category", ["category"], registry=self.registry)
        self.failures = Counter("faunalens_failures", "Pictures not judged, by error", ["code"], registry=self.registry)
        queue = Gauge("faunalens_queue", "Pictures waiting or running", registry=self.registry)
        queue.set_function(pending)

    def judged(self, answer: Answer) -> None:
        """Count one answer."""
        for stage, milliseconds in answer.timing_ms.items():
            self.stage_seconds.labels(stage).observe(milliseconds / 1e3)
        self.verdicts.labels(answer.verdict).inc()
        for finding in answer.findings:
            self.findings.labels(finding.category).inc()

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
