"""Drift: shifted scores and shares are told, chance is not."""

import bisect
from collections import Counter

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from service.statistics.drift import Shift, psi, shifts
from service.statistics.intervals import Part
from service.store.tallies import BINS, EDGES, Key
from service.telemetry.metrics import DriftMetrics


def counts(day: str, photos: int, findings: int, scores: np.ndarray, category: str = "ivory") -> Counter[Key]:
    made: Counter[Key] = Counter()
    for score in scores:
        made[Key(day, "live", "", "score", category, bisect.bisect_right(EDGES, float(score)))] += 1
    made[Key(day, "live", "", "photo", "", 0)] = photos - findings
    made[Key(day, "batch", "x", "photo", "", 1)] = findings
    made[Key(day, "batch", "x", "finding", category, 0)] = findings
    return made


def one(now: Counter[Key], before: Counter[Key], limit: float = 0.25) -> Shift:
    (found,) = shifts(["ivory"], now, before, limit)
    return found


def test_psi_by_hand() -> None:
    now, before = [300, 700, *[0] * (BINS - 2)], [500, 500, *[0] * (BINS - 2)]
    assert psi(now, before) == pytest.approx(
        (0.3 - 0.5) * np.log(0.3 / 0.5) + (0.7 - 0.5) * np.log(0.7 / 0.5), abs=5e-3
    )
    assert psi([10] * BINS, before) is None, "too few photos to say anything"


def test_the_same_stream_is_quiet_and_another_is_told() -> None:
    random = np.random.default_rng(1)
    quiet = [
        one(counts("d", 2_000, 20, random.beta(0.1, 5, 2_000)), counts("c", 8_000, 80, random.beta(0.1, 5, 8_000)))
        for _ in range(20)
    ]
    assert [shift.alerts for shift in quiet] == [()] * 20
    assert all(shift.psi is not None and shift.psi < 0.1 for shift in quiet)
    moved = one(counts("d", 2_000, 20, random.beta(0.5, 5, 2_000)), counts("c", 8_000, 80, random.beta(0.1, 5, 8_000)))
    assert moved.alerts == ("scores",)


def test_scores_are_told_above_the_limit_and_not_at_it() -> None:
    before, now = counts("c", 8_000, 80, np.full(300, 0.5)), counts("d", 2_000, 20, np.full(300, 0.2))
    index = one(now, before).psi
    assert index is not None
    assert [one(now, before, limit).alerts for limit in (index * 0.999, index)] == [("scores",), ()]


def test_a_share_is_told_when_it_moved_by_more_than_chance_and_by_half() -> None:
    flat = np.full(300, 0.5)
    before = counts("c", 8_000, 80, flat)
    assert one(counts("d", 2_000, 60, flat), before).alerts == ("share",)
    assert one(counts("d", 20_000, 40, flat), before).alerts == ("share",), "a fall too"
    assert one(counts("d", 150, 10, flat), before).alerts == (), "too few photos"
    assert one(counts("d", 2_000_000, 24_000, flat), counts("c", 8_000_000, 80_000, flat)).alerts == (), "by a fifth"
    assert one(counts("d", 2_000, 60, flat), before).ratio == pytest.approx(3.0)
    assert one(counts("d", 2_000, 60, flat), counts("c", 8_000, 0, flat)).ratio is None


@pytest.mark.parametrize(
    ("photos", "findings", "told"),
    [
        (1_000, 30, False), (1_000, 31, True),
        (2_000_000, 29_800, False), (2_000_000, 30_200, True), (2_000_000, 13_400, False), (2_000_000, 13_200, True),
    ],
    ids=("3.2 deviations", "3.3", "1.49 times", "1.51", "0.67", "0.66"),
)  # fmt: skip
def test_how_far_a_share_moves_before_it_is_told(photos: int, findings: int, told: bool) -> None:
    flat = np.full(300, 0.5)
    before = counts("c", photos, photos // 100, flat)
    assert one(counts("d", photos, findings, flat), before).alerts == (("share",) if told else ())


@pytest.mark.parametrize(("photos", "told"), [(199, ()), (200, ("scores", "share"))])
def test_below_200_photos_nothing_is_told(photos: int, told: tuple[str, ...]) -> None:
    few = counts("d", photos, photos // 2, np.full(photos, 0.9))
    many = counts("c", 8_000, 80, np.full(8_000, 0.5))
    assert one(few, many).alerts == one(many, few).alerts == told


def test_days_without_photos_or_findings_are_quiet() -> None:
    flat = np.full(300, 0.5)
    nothing = one(Counter(), counts("c", 8_000, 80, flat))
    assert (nothing.psi, nothing.ratio, nothing.alerts) == (None, None, ())
    assert one(counts("d", 2_000, 0, flat), counts("c", 8_000, 0, flat)).alerts == ()


def test_a_category_is_compared_with_itself() -> None:
    flat = np.full(300, 0.5)
    before = counts("c", 8_000, 80, flat)
    now = counts("d", 2_000, 20, flat)
    now.update(Key("d", "batch", "x", kind, "shell", 0) for kind in ("score", "finding") for _ in range(400))
    ivory, shell = shifts(["ivory", "shell"], now, before, 0.25)
    assert (ivory.now.count, ivory.psi, ivory.alerts) == (20, 0.0, ())
    assert (shell.now.count, shell.before.count, shell.alerts) == (400, 0, ("share",))


def test_a_category_that_the_model_has_not_any_more_alerts_no_more() -> None:
    registry = CollectorRegistry()
    metrics, part = DriftMetrics(registry), Part(0, 0)
    metrics.tell([Shift("coral", 0.9, part, part, None, ("scores",)), Shift("ivory", None, part, part, None, ())])
    metrics.tell([Shift("ivory", None, part, part, None, ())])
    assert registry.get_sample_value("faunalens_drift_alert", {"category": "coral", "what": "scores"}) is None
    assert registry.get_sample_value("faunalens_drift_alert", {"category": "ivory", "what": "scores"}) == 0.0
