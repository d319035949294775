"""What waits for moderators is counted now and then, and every decision counts at once."""

import random
from types import SimpleNamespace

import pytest

from service.answer import Answer
from service.errors import FaunalensError
from service.store import summary as module
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.database import Database
from service.store.decisions import Decisions, Moderator
from service.store.kinds import Kind
from service.store.outcomes import Outcome
from service.store.summary import Summaries
from tests.live import until
from tests.service.store.conftest import Clock, ids


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Takes the place of the clock by which it is counted anew; counting takes three seconds."""
    made = Clock(1000.0)

    def monotonic() -> float:
        made.moment += 1.5
        return made.moment

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=monotonic))
    return made


def judge(database: Database, answer: Answer) -> None:
    Batches(database).add(NewBatch("", "sensitive", source="mail"), [Entry("late.jpg")])
    claims = Claims(database, 60)
    claimed = claims.take()
    assert claimed is not None and claims.finish(claimed, Outcome(answer))


def test_an_empty_store_has_every_state(database: Database) -> None:
    found = Summaries(database).look()
    assert found.states == dict.fromkeys(("open", "second", "unsure", "escalated", "decided"), 0)
    assert found.sources == []


def test_whatever_is_decided_counts_at_once_and_is_what_counting_says(found: Database, ticks: Clock) -> None:
    """By others than who counted, in any order, taken back too."""
    draw, kept = random.Random(0), Summaries(found)
    kept.look()
    counted = kept._counted
    moderators = [Decisions(found, "all"), Decisions(found)]
    items, seen = ids(found), set[str]()
    for _ in range(60):
        kind, who = draw.choice(list(Kind)), Moderator(draw.choice("ab"))
        try:
            made = draw.choice(moderators).decide(draw.choice(items), who, kind)
        except FaunalensError:
            continue
        ticks.moment = 1000.0
        assert kept.look() == Summaries(found).look()
        seen.add(made.fields["state"])
    assert len(seen) == 5 and kept._counted and counted and kept._counted.until == counted.until, "it was counted once"


def test_what_comes_in_is_counted_after_a_hundred_times_as_long_as_counting_took(
    found: Database, answers: list[Answer], ticks: Clock
) -> None:
    kept = Summaries(found)
    assert kept.look().states["open"] == 3
    judge(found, answers[0])
    ticks.moment += 50
    assert (kept.look().states["open"], kept.look().sources) == (3, ["uploads"])
    ticks.moment += 10
    assert (kept.look().states["open"], kept.look().sources) == (4, ["mail", "uploads"])


def test_more_decisions_than_are_worth_reading_are_counted(
    found: Database, ticks: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_ENTRIES", 1)
    kept, log = Summaries(found), Decisions(found)
    kept.look()
    for item, count in zip(ids(found), (1, 2, 3), strict=True):
        log.decide(item, Moderator("a"), Kind.REJECT)
        if count > 1:
            assert kept.look().states["decided"] == count


def test_a_photo_that_came_in_since_makes_no_count_negative(
    database: Database, answers: list[Answer], ticks: Clock
) -> None:
    kept = Summaries(database)
    kept.look()
    judge(database, answers[0])
    Decisions(database).decide(ids(database)[0], Moderator("a"), Kind.UNSURE)
    assert kept.look().states == {"open": 0, "second": 0, "unsure": 1, "escalated": 0, "decided": 0}


def test_while_there_are_few_photos_they_are_counted_all_the_time(found: Database, answers: list[Answer]) -> None:
    kept = Summaries(found)
    kept.look()
    judge(found, answers[0])
    until(lambda: kept.look().states["open"] == 4)
