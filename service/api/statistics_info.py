"""The report of statistics as it is sent."""

import datetime

from pydantic import BaseModel, Field

from service.statistics.drift import Alert
from service.statistics.intervals import Estimate
from service.statistics.report import Drift, Fall, Report, Row

AIM = 0.8
"""The fall that the Coalition to End Wildlife Trafficking Online set out to reach, see docs/statistics.md."""
_DAY = datetime.timedelta(days=1)


class Interval(BaseModel):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


class Line(BaseModel):
    """Photos of batches and, by `live_`, of live requests; what is null cannot be said yet."""

    week: datetime.date | None = Field(description="Its Monday; null: the whole span")
    source: str | None = Field(description="null: all")
    category: str | None = Field(description="null: all")
    seen: int = Field(description="Photos judged; of a category: of all categories")
    failed: int
    flagged: int = Field(description="Photos with a finding; of a category: whose strongest finding it is")
    priority: int
    flagged_share: Interval | None
    findings: int = Field(description="Findings of the category; 0 where it is about all")
    decided: int = Field(description="Flagged photos decided for good")
    confirmed: int = Field(description="Of these, confirmed; of a category: as it")
    precision: Interval | None
    sampled: int = Field(description="Photos of the random sample decided for good")
    missed: int = Field(description="Of these, confirmed")
    recall: Interval | None
    live_seen: int
    live_flagged: int
    live_share: Interval | None


class FallLine(BaseModel):
    """How far the share of confirmed products among all photos of batches fell; negative: it rose."""

    category: str | None
    fall: Interval | None
    reached: bool | None = Field(description="Whether the aim is reached; null: the interval does not say")


class FallInfo(BaseModel):
    """The fall against the baseline; both days are included."""

    baseline_since: datetime.date
    baseline_until: datetime.date
    aim: float
    comparable: bool = Field(description="false: other models or policies judged then, so the fall may be theirs")
    lines: tuple[FallLine, ...]


class ShiftInfo(BaseModel):
    """A category lately and before, all photos together."""

    category: str
    psi: float | None = Field(description="Population stability index of its scores; null: too few photos")
    share: float | None
    share_before: float | None
    ratio: float | None
    alerts: tuple[Alert, ...]


class DriftInfo(BaseModel):
    """Drift of scores and of shares; days are included."""

    since: datetime.date
    until: datetime.date
    before_since: datetime.date
    before_until: datetime.date
    alert: bool
    shifts: tuple[ShiftInfo, ...]


class Stats(BaseModel):
    """The report; both days are included."""

    since: datetime.date
    until: datetime.date
    source: str | None
    total: Line
    categories: tuple[Line, ...]
    sources: tuple[Line, ...]
    weeks: tuple[Line, ...]
    fall: FallInfo | None
    drift: DriftInfo


def stats(found: Report, fall: Fall | None, drift: Drift) -> Stats:
    """The whole report."""
    return Stats(
        since=found.days.since, until=found.days.until - _DAY, source=found.source, total=line(found.total),
        categories=tuple(map(line, found.categories)), sources=tuple(map(line, found.sources)),
        weeks=tuple(map(line, found.weeks)), fall=_fall(fall) if fall else None, drift=_drift(drift),
    )  # fmt: skip


def line(row: Row) -> Line:
    """One line of it."""
    own = row.own
    return Line(
        week=row.week, source=row.source, category=row.category, seen=row.whole.seen, failed=own.failed,
        flagged=own.flagged, priority=own.priority, flagged_share=_interval(row.flagged), findings=own.findings,
        decided=own.decided, confirmed=own.confirmed, precision=_interval(row.precision), sampled=row.whole.sampled,
        missed=own.missed, recall=_interval(row.recall), live_seen=row.live.seen, live_flagged=row.live.flagged,
        live_share=_interval(row.live_flagged),
    )  # fmt: skip


def _fall(fall: Fall) -> FallInfo:
    lines = tuple(
        FallLine(category=one.category, fall=_interval(one.fall), reached=_reached(one.fall)) for one in fall.lines
    )
    return FallInfo(
        baseline_since=fall.baseline.since, baseline_until=fall.baseline.until - _DAY, aim=AIM,
        comparable=fall.comparable, lines=lines,
    )  # fmt: skip


def _reached(fall: Estimate | None) -> bool | None:
    if fall is None or fall.low < AIM <= fall.high:
        return None
    return fall.low >= AIM


def _drift(drift: Drift) -> DriftInfo:
    shifts = tuple(
        ShiftInfo(
            category=one.category, psi=one.psi, share=one.now.count / one.now.of if one.now.of else None,
            share_before=one.before.count / one.before.of if one.before.of else None, ratio=one.ratio,
            alerts=one.alerts,
        )
        for one in drift.shifts
    )  # fmt: skip
    return DriftInfo(
        since=drift.now.since, until=drift.now.until - _DAY, before_since=drift.before.since,
        before_until=drift.before.until - _DAY, alert=any(one.alerts for one in drift.shifts), shifts=shifts,
    )  # fmt: skip


def _interval(estimate: Estimate | None) -> Interval | None:
    return None if estimate is None else Interval(value=estimate.value, low=estimate.low, high=estimate.high)
