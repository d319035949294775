"""The report of made-up counts: what is a part of what, and which weeks, sources and categories are added up."""

import datetime
import itertools
from collections import Counter

import pytest

from service.statistics import report as module
from service.statistics.intervals import Part, fall, recall, share
from service.statistics.report import Report, Row, fallen, report
from service.store.database import Database
from service.store.figures import Counted, Figures
from service.store.tallies import NOTHING, Days, Key

SINCE, UNTIL = datetime.date(2026, 1, 7), datetime.date(2026, 1, 20)
MONDAYS = [datetime.date(2026, 1, day) for day in (5, 12, 19)]
IVORY = Figures(flagged=30, decided=20, confirmed=12, missed=1, findings=40, found=15)
WHOLE = Figures(seen=900, failed=3, flagged=50, priority=5, decided=40, confirmed=25, sampled=200, missed=4)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Days, str | None]]:
    """The spans that were counted. The source ``a`` is of the first two weeks, ``b`` of the second; ``live`` has no
    batch."""
    spans = list[tuple[Days, str | None]]()

    def count(_: Database, days: Days, source: str | None) -> Counted:
        spans.append((days, source))
        made = Counted()
        for name, weeks in (("a", MONDAYS[:2]), ("b", MONDAYS[1:2])):
            if any(days.since <= week + datetime.timedelta(days=6) and week < days.until for week in weeks):
                made.sources[name].add(WHOLE)
                made.categories[name, "ivory"].add(IVORY)
                made.judges.add("m1 p1")
        return made

    def read(_: Database, days: Days, kinds: object, source: str | None, channel: str, by: object) -> Counter[Key]:
        assert (tuple(kinds), channel) == (("photo", "finding"), "live")  # type: ignore[call-overload]
        key = NOTHING._replace(source="live", kind="photo")
        found = {key: 70, key._replace(bin=1): 6, key._replace(bin=2): 1}
        found[key._replace(kind="finding", category="shell")] = 5
        return Counter(found if days.since == MONDAYS[1] else {})

    monkeypatch.setattr(module.figures, "count", count)
    monkeypatch.setattr(module.tallies, "read", read)
    return spans


def made(database: Database | None = None, since: datetime.date = SINCE) -> Report:
    return report(database, Days(since, UNTIL))  # type: ignore[arg-type]


def named(rows: list[Row], name: str) -> Row:
    (row,) = [row for row in rows if name in (row.source, row.category)]
    return row


def test_weeks_begin_on_monday_and_are_cut_at_the_ends(asked: list[tuple[Days, str | None]]) -> None:
    found = made()
    ends = [SINCE, *MONDAYS[1:], UNTIL]
    assert [days for days, _ in asked] == [Days(*pair) for pair in itertools.pairwise(ends)]
    assert [row.week for row in found.weeks] == MONDAYS
    assert [(row.own.seen, row.live.seen) for row in found.weeks] == [(900, 0), (1800, 77), (0, 0)]
    asked.clear()
    report(None, Days(MONDAYS[1], MONDAYS[2]), "a")  # type: ignore[arg-type]
    assert asked == [(Days(MONDAYS[1], MONDAYS[2]), "a")]


@pytest.mark.usefixtures("asked")
def test_groups_add_up_to_the_total() -> None:
    found = made()
    assert (found.total.own.seen, found.total.live.seen, found.total.live.flagged) == (2700, 77, 7)
    assert [(row.source, row.own.seen, row.live.seen) for row in found.sources] == [
        ("a", 1800, 0), ("b", 900, 0), ("live", 0, 77),
    ]  # fmt: skip
    assert [(row.category, row.own.flagged, row.live.flagged) for row in found.categories] == [
        ("ivory", 90, 0), ("shell", 0, 5),
    ]  # fmt: skip
    cells = [(row.week, row.source, row.category) for row in found.cells]
    first, second = MONDAYS[:2]
    assert cells == [
        (first, "a", None), (first, "a", "ivory"), (second, "a", None), (second, "a", "ivory"), (second, "b", None),
        (second, "b", "ivory"), (second, "live", None), (second, "live", "shell"),
    ]  # fmt: skip
    shell = found.cells[-1]
    assert (shell.live.seen, shell.live.flagged) == (77, 5)


@pytest.mark.usefixtures("asked")
def test_a_category_is_a_part_of_everything() -> None:
    found = made()
    ivory, total, cell = named(found.categories, "ivory"), found.total, found.cells[1]
    assert ivory.flagged == share(Part(90, 2700)) and cell.flagged == share(Part(30, 900))
    assert ivory.precision == share(Part(36, 60)) and total.precision == share(Part(75, 120))
    assert ivory.recall == recall(2700, 150, Part(45, 120), Part(3, 600))
    assert total.recall == recall(2700, 150, Part(75, 120), Part(12, 600))
    assert named(found.categories, "shell").live_flagged == share(Part(5, 77))


@pytest.mark.usefixtures("asked")
def test_the_fall_is_of_photos_confirmed_as_a_category_whatever_was_strongest() -> None:
    now, before = made(since=MONDAYS[1]), made()
    found = fallen(now, before)
    assert found.comparable and found.baseline == before.days
    whole, ivory, shell = found.lines
    assert whole.fall == fall(Part(100, 1800), Part(50, 80), Part(150, 2700), Part(75, 120))
    assert ivory.fall == fall(Part(100, 1800), Part(30, 80), Part(150, 2700), Part(45, 120))
    assert (ivory.category, shell.category, shell.fall) == ("ivory", "shell", None)


@pytest.mark.usefixtures("asked")
def test_a_category_that_is_not_found_any_more_fell_as_far_as_it_can() -> None:
    now, before = made(since=MONDAYS[1]), made()
    now.categories = []
    ivory = fallen(now, before).lines[1]
    assert ivory.fall == fall(Part(100, 1800), Part(0, 80), Part(150, 2700), Part(45, 120))
    assert ivory.fall is not None and ivory.fall.value == 1


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(("now", "then", "same"), [(1, 1, True), (1, 2, False), (2, 2, True)])
def test_spans_compare_where_one_model_and_policy_judged_both(now: int, then: int, same: bool) -> None:
    later, before = made(), made()
    later.judges, before.judges = {f"m{now} p1"}, {f"m{then} p1"}
    assert fallen(later, before).comparable is same
    later.judges.add("m3 p1")
    assert not fallen(later, later).comparable
