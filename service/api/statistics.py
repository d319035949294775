"""``GET /v1/stats``: what was seen and decided, with intervals; the fall; drift."""

import asyncio
import csv
import datetime
import io
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from service.api.failures import error_docs
from service.api.review import KEYED
from service.api.state import bulk_of, state_of
from service.bulk.manifest import clean
from service.cells import harmless
from service.errors import ErrorCode, FaunalensError
from service.statistics.drift import Alert
from service.statistics.intervals import Estimate
from service.statistics.report import Drift, Fall, Report, Row, drifted, fallen, report
from service.statistics_settings import MOST_DAYS, is_span
from service.store.tables import LISTING_LENGTH
from service.store.tallies import Days, today

router = APIRouter(prefix="/v1", tags=["statistics"])
AIM = 0.8
_WEEKS = 12
_DAY = datetime.timedelta(days=1)
COLUMNS = (
    "group", "week", "source", "category", "seen", "failed", "flagged", "priority", "flagged_share", "flagged_low",
    "flagged_high", "findings", "decided", "confirmed", "precision", "precision_low", "precision_high", "sampled",
    "missed", "recall", "recall_low", "recall_high", "live_seen", "live_flagged", "live_share", "live_low", "live_high",
)  # fmt: skip


_INTERVALS = {"flagged_share": "flagged", "precision": "precision", "recall": "recall", "live_share": "live"}


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


@router.get(
    "/stats",
    response_model=Stats,
    responses={
        200: {"content": {"text/csv": {}}, "description": "The report"},
        **error_docs(*KEYED, ErrorCode.NOT_READY),
    },
)
async def statistics(
    request: Request,
    since: Annotated[datetime.date | None, Query(description="First day, UTC; default: twelve weeks back")] = None,
    until: Annotated[datetime.date | None, Query(description="Last day, UTC; default: today")] = None,
    baseline_since: Annotated[datetime.date | None, Query(description="First day of the baseline")] = None,
    baseline_until: Annotated[datetime.date | None, Query(description="Last day of the baseline")] = None,
    source: Annotated[str | None, Query(description="Only this source", max_length=LISTING_LENGTH)] = None,
    kind: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    """What was seen and what moderators decided, by category, source and week, with 95 % intervals.

    The numbers are counted from stored decisions of photos of batches; photos of live requests are counted beside them.
    """
    last = until or today()
    days = _span(since or datetime.date.fromordinal(max(1, last.toordinal() - _WEEKS * 7)), last)
    baseline = _baseline(request, baseline_since, baseline_until)
    found, fall, drift = await asyncio.to_thread(_all, request, days, baseline, clean(source))
    if kind == "csv":
        return Response(_csv(found), media_type="text/csv; charset=utf-8")
    return Response(_stats(found, fall, drift).model_dump_json(), media_type="application/json")


def _all(request: Request, days: Days, baseline: Days | None, source: str | None) -> tuple[Report, Fall | None, Drift]:
    bulk, state = bulk_of(request), state_of(request)
    bulk.count()
    found = report(bulk.database, days, source)
    fall = fallen(found, report(bulk.database, baseline, source)) if baseline else None
    return found, fall, drifted(bulk.database, state.detector.contract.ids, *bulk.drift_days, state.settings.drift_psi)


def _baseline(request: Request, since: datetime.date | None, until: datetime.date | None) -> Days | None:
    if since is None and until is None:
        span = state_of(request).settings.baseline_days
        return _span(*span) if span else None
    if since is None or until is None:
        raise _wrong("baseline_since", "The baseline needs both of its days.")
    return _span(since, until)


def _span(since: datetime.date, until: datetime.date) -> Days:
    if not is_span(since, until):
        raise _wrong("since", f"The first day must not be after the last, and at most {MOST_DAYS} days before it.")
    return Days(since, until + _DAY)


def _wrong(parameter: str, message: str) -> FaunalensError:
    problems = [{"parameter": f"query.{parameter}", "problem": message}]
    return FaunalensError(ErrorCode.INVALID_PARAMETER, message, {"problems": problems})


def _stats(found: Report, fall: Fall | None, drift: Drift) -> Stats:
    return Stats(
        since=found.days.since, until=found.days.until - _DAY, source=found.source, total=_line(found.total),
        categories=tuple(map(_line, found.categories)), sources=tuple(map(_line, found.sources)),
        weeks=tuple(map(_line, found.weeks)), fall=_fall(fall) if fall else None, drift=_drift(drift),
    )  # fmt: skip


def _line(row: Row) -> Line:
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


def _csv(found: Report) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    groups = (("total", [found.total]), ("category", found.categories), ("source", found.sources),
              ("week", found.weeks), ("cell", found.cells))  # fmt: skip
    for name, rows in groups:
        writer.writerows(_values(name, row) for row in rows)
    return stream.getvalue()


def _values(group: str, row: Row) -> list[Any]:
    line = _line(row)
    values: dict[str, Any] = {**line.model_dump(), "group": group, "source": harmless(line.source or "")}
    for name, short in _INTERVALS.items():
        interval = values.pop(name) or {}
        values[name] = interval.get("value")
        values |= {f"{short}_{end}": interval.get(end) for end in ("low", "high")}
    return ["" if values[name] is None else values[name] for name in COLUMNS]
