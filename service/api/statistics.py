"""``GET /v1/stats``: what was seen and decided, with intervals; the fall; drift."""

import asyncio
import csv
import datetime
import io
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.api.bodies import TEXT
from service.api.failures import error_docs
from service.api.review import KEYED
from service.api.state import bulk_of, state_of
from service.api.statistics_info import Stats, line, stats
from service.errors import ErrorCode, FaunalensError
from service.sanitise import harmless, storable
from service.statistics.report import Drift, Fall, Report, Row, drifted, fallen, report
from service.statistics_settings import MOST_DAYS, is_span
from service.store.tables import LISTING_LENGTH
from service.store.tallies import Days, today

router = APIRouter(prefix="/v1", tags=["statistics"])
_WEEKS = 12
_DAY = datetime.timedelta(days=1)
COLUMNS = (
    "group", "week", "source", "category", "seen", "failed", "flagged", "priority", "flagged_share", "flagged_low",
    "flagged_high", "findings", "decided", "confirmed", "precision", "precision_low", "precision_high", "sampled",
    "missed", "recall", "recall_low", "recall_high", "live_seen", "live_flagged", "live_share", "live_low", "live_high",
)  # fmt: skip
_INTERVALS = {"flagged_share": "flagged", "precision": "precision", "recall": "recall", "live_share": "live"}


@router.get(
    "/stats",
    response_model=Stats,
    responses={
        200: {"content": {"text/csv": TEXT}, "description": "The report"},
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
    writing = partial(_written, request, days, baseline, storable(source), kind)
    text = await asyncio.get_running_loop().run_in_executor(bulk_of(request).reports, writing)
    return Response(text, media_type="text/csv; charset=utf-8" if kind == "csv" else "application/json")


def _written(request: Request, days: Days, baseline: Days | None, source: str | None, kind: str) -> str:
    """The whole answer, made by a thread: the intervals of its lines take longer than to count."""
    if kind == "csv":
        return _csv(_counted(request, days, source))
    return stats(*_all(request, days, baseline, source)).model_dump_json()


def _all(request: Request, days: Days, baseline: Days | None, source: str | None) -> tuple[Report, Fall | None, Drift]:
    bulk, state = bulk_of(request), state_of(request)
    found = _counted(request, days, source)
    fall = fallen(found, report(bulk.database, baseline, source)) if baseline else None
    return found, fall, drifted(bulk.database, state.detector.contract.ids, *bulk.drift_days, state.settings.drift_psi)


def _counted(request: Request, days: Days, source: str | None) -> Report:
    """With what was judged a moment ago."""
    bulk_of(request).count()
    return report(bulk_of(request).database, days, source)


def _baseline(request: Request, since: datetime.date | None, until: datetime.date | None) -> Days | None:
    if since is None and until is None:
        span = state_of(request).settings.baseline_days
        return _span(*span) if span else None
    if since is None or until is None:
        raise _wrong("baseline_since", "The baseline needs both of its days.")
    return _span(since, until, "baseline_since")


def _span(since: datetime.date, until: datetime.date, parameter: str = "since") -> Days:
    if not is_span(since, until):
        raise _wrong(parameter, f"The first day must not be after the last, and at most {MOST_DAYS} days before it.")
    return Days(since, until + _DAY)


def _wrong(parameter: str, message: str) -> FaunalensError:
    problems = [{"parameter": f"query.{parameter}", "problem": message}]
    return FaunalensError(ErrorCode.INVALID_PARAMETER, message, {"problems": problems})


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
    values: dict[str, Any] = {**line(row).model_dump(), "group": group, "source": harmless(row.source or "")}
    for name, short in _INTERVALS.items():
        interval = values.pop(name) or {}
        values[name] = interval.get("value")
        values |= {f"{short}_{end}": interval.get(end) for end in ("low", "high")}
    return ["" if values[name] is None else values[name] for name in COLUMNS]
