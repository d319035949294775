from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from service.telemetry.metrics import BacklogMetrics


@dataclass
class Waiting:
    count: int
    seconds: float


def test_what_waits_grows_older_between_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [100.0]
    monkeypatch.setattr("service.telemetry.metrics.time", SimpleNamespace(monotonic=lambda: moment[0]))
    backlog, registry = BacklogMetrics(), CollectorRegistry()
    registry.register(backlog)
    assert registry.get_sample_value("faunalens_batch_oldest_seconds") is None, "nothing is known yet"
    backlog.tell_pictures(Waiting(7, 50.0))
    backlog.tell_photos({"open": Waiting(2, 9.0), "unsure": Waiting(0, 0.0)})
    moment[0] = 103.0
    assert registry.get_sample_value("faunalens_batch_pictures_waiting") == 7
    assert registry.get_sample_value("faunalens_batch_oldest_seconds") == 53.0
    assert registry.get_sample_value("faunalens_review_oldest_seconds", {"state": "open"}) == 12.0
    assert registry.get_sample_value("faunalens_review_oldest_seconds", {"state": "unsure"}) == 0.0
    backlog.tell_pictures(None)
    assert registry.get_sample_value("faunalens_batch_oldest_seconds") is None
