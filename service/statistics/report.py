"""The report of a span of days: totals, and the same by category, source and week; the fall; drift."""

import datetime
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from service.statistics import drift
from service.statistics.intervals import Estimate, Part, fall, recall, share
from service.store import figures, tallies
from service.store.database import Database
from service.store.figures import Counted, Figures
from service.store.tallies import Days

_LIVE_BY = ("source", "kind", "category", "bin")
_DRIFT_BY = ("kind", "category", "bin")


@dataclass(slots=True)
class Live:
    """Photos of live requests: how many, how many of them with a finding (of a category, if it is about one)."""

    seen: int = 0
    flagged: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what it is about (None: all), counts of batches, counts of live requests.

    ``whole``: the figures of which this is a part, for what only makes sense of all categories together.
    """

    week: datetime.date | None
    source: str | None
    category: str | None
    own: Figures
    whole: Figures
    live: Live

    @property
    def flagged(self) -> Estimate | None:
        """The share of the photos of batches that were flagged."""
        return share(Part(self.own.flagged, self.whole.seen))

    @property
    def live_flagged(self) -> Estimate | None:
        """The share of the photos of live requests that were flagged."""
        return share(Part(self.live.flagged, self.live.seen))

    @property
    def precision(self) -> Estimate | None:
        """The share of the decided photos that were confirmed; of one category: confirmed as it."""
        return share(Part(self.own.confirmed, self.own.decided))

    @property
    def recall(self) -> Estimate | None:
        """The share of the products that were flagged, by the random sample of the others."""
        missed = Part(self.own.missed, self.whole.sampled)
        return recall(self.whole.seen, self.whole.flagged, self.right, missed)

    @property
    def right(self) -> Part:
        """Of the decided photos those that were confirmed, as this category whatever was strongest."""
        return Part(self.own.confirmed if self.category is None else self.own.found, self.whole.decided)


@dataclass(frozen=True, slots=True)
class Fallen:
    """How far the share of confirmed products fell; ``category``: None for all."""

    category: str | None
    fall: Estimate | None


@dataclass(frozen=True, slots=True)
class Fall:
    """The fall against ``baseline``. ``comparable``: the same models and policies judged in both spans."""

    baseline: Days
    lines: tuple[Fallen, ...]
    comparable: bool


@dataclass(frozen=True, slots=True)
class Drift:
    """Shifts of the ``now`` days against those ``before``."""

    now: Days
    before: Days
    shifts: tuple[drift.Shift, ...]


@dataclass(slots=True)
class Report:
    """Rows by what they are about; ``cells``: by week, source and category at once."""

    days: Days
    source: str | None
    total: Row
    categories: list[Row] = field(default_factory=list)
    sources: list[Row] = field(default_factory=list)
    weeks: list[Row] = field(default_factory=list)
    cells: list[Row] = field(default_factory=list)
    judges: set[str] = field(default_factory=set)


def report(database: Database, days: Days, source: str | None = None) -> Report:
    """Count and add up; raises ``store_unavailable``."""
    weeks = {week: _clipped(week, days) for week in _weeks(days)}
    counted = {week: figures.count(database, part, source) for week, part in weeks.items()}
    cells = [
        cell for week, part in weeks.items() for cell in _cells(week, counted[week], _live(database, part, source))
    ]
    by_source = [cell for cell in cells if cell.category is None]
    made = Report(days, source, _sum(by_source, None, None, None))
    made.judges = set[str]().union(*(found.judges for found in counted.values()))
    made.weeks = [_sum((c for c in by_source if c.week == week), week, None, None) for week in counted]
    made.sources = _grouped(by_source, lambda cell: (None, cell.source, None), made.total)
    made.categories = _grouped((c for c in cells if c.category), lambda cell: (None, None, cell.category), made.total)
    made.cells = cells
    return made


def fallen(now: Report, before: Report) -> Fall:
    """The fall of ``now`` against ``before``, whose days are the baseline."""
    pairs = [(now.total, before.total)]
    rows = {row.category: row for row in now.categories}
    pairs += [
        (rows.get(row.category) or Row(None, None, row.category, Figures(), now.total.own, Live()), row)
        for row in before.categories
    ]
    lines = (Fallen(old.category, fall(*_flow(new), *_flow(old))) for new, old in pairs)
    return Fall(before.days, tuple(lines), len(now.judges | before.judges) <= 1)


def drifted(database: Database, categories: Iterable[str], now: Days, before: Days, limit: float) -> Drift:
    """Shifts of all photos, live and of batches; raises ``store_unavailable``."""
    kinds = ("photo", "finding", "score")
    lately, earlier = (tallies.read(database, days, kinds, by=_DRIFT_BY) for days in (now, before))
    return Drift(now, before, tuple(drift.shifts(categories, lately, earlier, limit)))


def _flow(row: Row) -> tuple[Part, Part]:
    return Part(row.whole.flagged, row.whole.seen), row.right


def _weeks(days: Days) -> Iterator[datetime.date]:
    """The Mondays of the weeks that the days are in."""
    week = days.since - datetime.timedelta(days=days.since.weekday())
    while week < days.until:
        yield week
        week += datetime.timedelta(days=7)


def _clipped(week: datetime.date, days: Days) -> Days:
    return Days(max(week, days.since), min(week + datetime.timedelta(days=7), days.until))


def _cells(week: datetime.date, counted: Counted, seen: dict[tuple[str, str | None], Live]) -> list[Row]:
    """Rows of one week: of each source, and of each of its categories. ``seen``: live, by source and category."""
    categories = defaultdict[str, set[str]](set)
    for source, category in (*counted.categories, *seen):
        if category:
            categories[source].add(category)
    rows = []
    for source in sorted({*counted.sources, *(name for name, _ in seen)}):
        whole, all_live = counted.sources[source], seen.get((source, None), Live())
        rows.append(Row(week, source, None, whole, whole, all_live))
        for name in sorted(categories[source]):
            found = Live(all_live.seen, seen.get((source, name), Live()).flagged)
            rows.append(Row(week, source, name, counted.categories[source, name], whole, found))
    return rows


def _live(database: Database, days: Days, source: str | None) -> dict[tuple[str, str | None], Live]:
    found = defaultdict[tuple[str, str | None], Live](Live)
    for key, count in tallies.read(database, days, ("photo", "finding"), source, "live", _LIVE_BY).items():
        if key.kind == "photo":
            found[key.source, None].seen += count
            found[key.source, None].flagged += count if key.bin else 0
        else:
            found[key.source, key.category].flagged += count
    return dict(found)


def _grouped(
    cells: Iterable[Row], of: Callable[[Row], tuple[datetime.date | None, str | None, str | None]], total: Row
) -> list[Row]:
    """Cells added up by what ``of`` says, the most flagged first."""
    groups = defaultdict[tuple[datetime.date | None, str | None, str | None], list[Row]](list)
    for cell in cells:
        groups[of(cell)].append(cell)
    rows = [_sum(group, *key) for key, group in groups.items()]
    # a category is a part of everything, also of weeks in which it was not found
    rows = [
        row if row.category is None
        else Row(None, None, row.category, row.own, total.own, Live(total.live.seen, row.live.flagged))
        for row in rows
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row.own.flagged - row.live.flagged, row.source or "", row.category or ""))


def _sum(cells: Iterable[Row], week: datetime.date | None, source: str | None, category: str | None) -> Row:
    own, live = Figures(), Live()
    for cell in cells:
        own.add(cell.own)
        live.seen += cell.live.seen
        live.flagged += cell.live.flagged
    return Row(week, source, category, own, own, live)
