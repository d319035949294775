"""The settings of statistics, part of :class:`service.settings.Settings`."""

import datetime
from typing import Annotated

from pydantic import BaseModel, Field, field_validator

MOST_DAYS = 1100
# weeks begin and end inside what dates can be
_EARLIEST, _LATEST = datetime.date(1970, 1, 5), datetime.date(9998, 12, 31)
Days = Annotated[int, Field(ge=1, le=366)]


class StatisticsSettings(BaseModel):
    """See ``docs/statistics.md``."""

    audit_rate: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="Share of the photos of batches without a finding that are sent to review, drawn at random"
    )
    baseline: str | None = Field(None, description="Days that the fall is measured against: 2026-01-01/2026-03-31")
    drift_days: Days = Field(7, description="The last days, which are compared")
    drift_baseline_days: Days = Field(28, description="The days before, with which they are compared")
    drift_psi: Annotated[float, Field(gt=0)] = Field(
        0.25, description="Population stability index of a category's scores above which drift is told"
    )

    @field_validator("baseline")
    @classmethod
    def _check_baseline(cls, value: str | None) -> str | None:
        if value:
            since, until = _days(value)
            if not is_span(since, until):
                raise ValueError(f"the first day must not be after the last, and at most {MOST_DAYS} days before it")
        return value or None

    @property
    def baseline_days(self) -> tuple[datetime.date, datetime.date] | None:
        """First and last day of the baseline."""
        return _days(self.baseline) if self.baseline else None


def is_span(since: datetime.date, until: datetime.date) -> bool:
    """Whether a report can be about these days, both included."""
    return _EARLIEST <= since <= until <= _LATEST and (until - since).days <= MOST_DAYS


def _days(text: str) -> tuple[datetime.date, datetime.date]:
    first, _, last = text.partition("/")
    try:
        return datetime.date.fromisoformat(first), datetime.date.fromisoformat(last)
    except ValueError as error:
        raise ValueError("it must be two days, as in 2026-01-01/2026-03-31") from error
