"""Clients choose their sources freely; those that have counts of their own are bounded, on SQLite and PostgreSQL."""

import datetime
from collections import Counter

import pytest

from service.answer import Answer, ImageInfo, ModelName, PolicyName
from service.errors import ErrorCode, FaunalensError
from service.sanitise import storable
from service.store import tallies
from service.store.database import Database
from service.store.tallies import OTHER, SOURCES, Channel, Days, Tallies

DAY = datetime.date(2026, 3, 1)


def answer(day: datetime.date = DAY) -> Answer:
    return Answer(
        request_id="", verdict="clear", findings=(), scores={},
        judged_at=datetime.datetime.combine(day, datetime.time(12), datetime.UTC),
        image=ImageInfo(sha256="", format="", width=1, height=1, frames=1, orientation=1),
        model=ModelName(name="", sha256=""), policy=PolicyName(name="", version="", sha256=""), timing_ms={},
    )  # fmt: skip


def add(tally: Tallies, numbers: range, day: datetime.date = DAY, channel: Channel = "live") -> None:
    for number in numbers:
        tally.add(channel, f"source-{number:05}", answer(day))


def sources(database: Database, day: datetime.date = DAY, channel: Channel = "live") -> Counter[str]:
    span = Days(day, day + datetime.timedelta(days=1))
    found = tallies.read(database, span, ["photo"])
    return Counter({key.source: count for key, count in found.items() if key.channel == channel})


def test_a_day_has_so_many_sources_however_often_they_are_written(database: Database) -> None:
    tally = Tallies()
    for begin in range(0, 2_000, 200):
        add(tally, range(begin, begin + 200))
        tally.flush(database)
    found = sources(database)
    assert len(found) == SOURCES + 1 and sum(found.values()) == 2_000
    assert found[OTHER] == 2_000 - SOURCES


def test_a_new_process_counts_on(database: Database) -> None:
    add(first := Tallies(), range(SOURCES - 1))
    first.flush(database)
    second = Tallies()
    add(second, range(5_000, 5_010))
    add(second, range(3))
    second.add("live", "", answer())
    second.flush(database)
    found = sources(database)
    assert (found["source-05000"], found[OTHER], found["source-00002"], found[""]) == (1, 9, 2, 1)


def test_days_and_channels_have_room_of_their_own(database: Database) -> None:
    tally, next_day = Tallies(), DAY + datetime.timedelta(days=1)
    add(tally, range(SOURCES + 5))
    add(tally, range(9_000, 9_003), channel="batch")
    add(tally, range(9_000, 9_003), next_day)
    tally.flush(database)
    assert sources(database)[OTHER] == 5
    assert OTHER not in sources(database, channel="batch") and OTHER not in sources(database, next_day)


def test_a_database_that_is_away_costs_bounded_memory_and_no_count(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = Tallies()

    def away() -> None:
        raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, "away")

    with monkeypatch.context() as patched:
        patched.setattr(database, "writing", away)
        for begin in range(0, 2_000, 200):
            add(tally, range(begin, begin + 200))
            with pytest.raises(FaunalensError):
                tally.flush(database)
        assert len(tally._counts) == SOURCES + 1
    tally.flush(database)
    assert sum(sources(database).values()) == 2_000


def test_days_that_are_over_are_forgotten(database: Database) -> None:
    tally = Tallies()
    for number in range(30):
        add(tally, range(2), DAY + datetime.timedelta(days=number))
        tally.flush(database)
    assert len(tally._known) == len(tally._stored) == 8


def test_a_source_is_called_what_a_batch_of_it_is(database: Database) -> None:
    names = (
        "caf\u00e9\u00a0bazar",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0646\u0645",
        "\U0001f469\u200d\U0001f33e",
        "a\nb",
    )
    tally = Tallies()
    for name in names:
        tally.add("live", name, answer())
    tally.flush(database)
    assert set(sources(database)) == {storable(name) for name in names}
