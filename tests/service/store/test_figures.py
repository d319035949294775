"""Counts on SQLite and PostgreSQL: by source and category, decided ones, and the random sample apart."""

import dataclasses
import datetime
from typing import Any

import pytest

from service.answer import Answer, Finding
from service.detector import Detector
from service.store import figures, tallies
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.database import Database
from service.store.decisions import Decisions, Moderator
from service.store.figures import Figures
from service.store.kinds import Kind
from service.store.outcomes import Outcome, Sample
from service.store.queues import Wanted
from service.store.reviews import Reviews
from service.store.states import ReviewState
from service.store.tallies import Days, Key, Tallies
from tests.conftest import SAMPLES
from tests.service.store.conftest import Clock

EVER = Days(datetime.date(1970, 1, 1), datetime.date(9999, 1, 1))


@pytest.fixture(scope="module")
def answer(detector: Detector) -> Answer:
    return detector.answer((SAMPLES / "tusk-single.jpg").read_bytes(), "b", detector.policy("sensitive"))


@pytest.fixture(scope="module")
def candidate(detector: Detector) -> Finding:
    seen = detector.see((SAMPLES / "bananas.jpg").read_bytes())
    return detector.candidate(seen, detector.policy("default"))


def judged(answer: Answer, *categories: tuple[str, float]) -> Answer:
    """The answer with other findings, clear without any."""
    found = [
        answer.findings[0].model_copy(update={"category": name, "probability": score}) for name, score in categories
    ]
    return answer.model_copy(update={"findings": tuple(found), "verdict": "review" if found else "clear"})


def fill(database: Database, source: str, outcomes: list[Outcome]) -> list[int]:
    """A batch of these results; the items' numbers."""
    Batches(database).add(NewBatch("", "p", source), [Entry(f"{number}") for number in range(len(outcomes))])
    claims, ids = Claims(database, 60), []
    while claimed := claims.take():
        claims.finish(claimed, outcomes[claimed.position])
        ids.append(claimed.id)
    return ids


def some(**counts: int) -> dict[str, int]:
    return counts


def given(found: Figures) -> dict[str, int]:
    return {name: count for name, count in dataclasses.asdict(found).items() if count}


def test_counts(database: Database, answer: Answer, candidate: Finding) -> None:
    ivory, shell = Outcome(judged(answer, ("ivory", 0.9), ("shell", 0.2))), Outcome(judged(answer, ("shell", 0.5)))
    clear, failed = Outcome(judged(answer)), Outcome(None, {"code": "corrupt_image"})
    sample = dataclasses.replace(clear, sample=Sample(0.5, candidate, 0.3))
    a = fill(database, "a", [ivory, ivory, ivory, shell, clear, failed, sample, sample])
    b = fill(database, "b", [ivory, clear])
    decisions = Decisions(database)

    def decide(item: int, kind: Kind, category: str | None = None) -> Any:
        return decisions.decide(item, Moderator("ann"), kind, category)

    decide(a[0], Kind.CONFIRM, "ivory")
    decide(a[1], Kind.CONFIRM, "shell")
    decide(a[2], Kind.UNSURE)
    decide(a[3], Kind.REJECT)
    decide(a[6], Kind.CONFIRM)
    decide(a[7], Kind.REJECT)
    decide(b[0], Kind.CONFIRM, "ivory")
    decide(b[0], Kind.UNDO)
    counted = figures.count(database, EVER)
    assert given(counted.sources["a"]) == some(
        seen=7, failed=1, flagged=4, decided=3, confirmed=2, sampled=2, missed=1
    )  # fmt: skip
    assert given(counted.sources["b"]) == some(seen=2, flagged=1)
    categories = counted.categories
    assert given(categories["a", "ivory"]) == some(flagged=3, findings=3, decided=2, confirmed=1, found=1)
    assert given(categories["a", "shell"]) == some(flagged=1, findings=4, decided=1, found=1)
    assert given(categories["a", candidate.category]).get("missed", 0) == 1 or candidate.category in ("ivory", "shell")
    assert given(categories["b", "ivory"]) == some(flagged=1, findings=1)
    assert len(counted.judges) == 1
    assert figures.count(database, EVER, "b").sources.keys() == {"b"}
    assert figures.count(database, Days(EVER.since, datetime.date(1970, 1, 2))).sources == {}


def test_a_photo_counts_once_from_its_first_moment_on_and_for_the_first_of_equal_findings(
    database: Database, answer: Answer, clock: Clock
) -> None:
    clock.moment = 1_767_225_600.0
    (item,) = fill(database, "a", [Outcome(judged(answer, ("shell", 0.5), ("ivory", 0.5)))])
    decisions, ann = Decisions(database), Moderator("ann")
    for kind in (Kind.UNSURE, Kind.REJECT, Kind.UNDO):
        decisions.decide(item, ann, kind)
    decisions.decide(item, ann, Kind.CONFIRM, "shell")
    day, one = datetime.date(2026, 1, 1), datetime.timedelta(days=1)
    counted = figures.count(database, Days(day, day + one))
    assert given(counted.sources["a"]) == some(seen=1, flagged=1, decided=1, confirmed=1)
    assert given(counted.categories["a", "ivory"]) == some(flagged=1, findings=1, decided=1)
    assert given(counted.categories["a", "shell"]) == some(findings=1, found=1)
    assert (
        figures.count(database, Days(day - one, day))
        == figures.Counted()
        == figures.count(database, Days(day + one, EVER.until))
    )


def test_photos_judged_while_it_counts_are_all_in_or_all_out(
    database: Database, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ivory = Outcome(judged(answer, ("ivory", 0.9)))
    fill(database, "a", [ivory])
    count_judged = figures._judged

    def judged_meanwhile(*arguments: Any) -> None:
        count_judged(*arguments)
        fill(database, "a", [ivory, ivory])

    monkeypatch.setattr(figures, "_judged", judged_meanwhile)
    counted = figures.count(database, EVER)
    assert counted.sources["a"].seen == counted.categories["a", "ivory"].flagged == 1


def test_the_sample_looks_like_any_other_photo(database: Database, answer: Answer, candidate: Finding) -> None:
    clear = judged(answer)
    ids = fill(database, "a", [Outcome(clear, sample=Sample(0.1, candidate, place)) for place in (0.2, 0.9)])
    fill(database, "a", [Outcome(judged(answer, ("ivory", 0.5)))])
    reviews = Reviews(database, 60)
    first, second, third = reviews.queue(Wanted(), 9)
    assert [first.id, third.id] == [ids[1], ids[0]], "each at the place that was drawn"
    assert second.fields.keys() == first.fields.keys()
    assert first.fields["verdict"] == "review" == second.fields["verdict"]
    assert [finding["category"] for finding in first.fields["findings"]] == [candidate.category]
    assert "sample" not in str(first.fields)
    assert {item.id for item in reviews.queue(Wanted(category=candidate.category), 9)} >= set(ids)
    made = Decisions(database).decide(ids[0], Moderator("ann"), Kind.CONFIRM)
    assert made.fields["category"] == candidate.category and made.fields["state"] == ReviewState.DECIDED


def test_tallies_add_up(database: Database, answer: Answer) -> None:
    tally, day = Tallies(), answer.judged_at.date()
    for source in ("a", "a", "b\0"):
        tally.add("live", source, answer)
    tally.flush(database)
    tally.add("live", "a", answer)
    tally.flush(database)
    tally.flush(database)
    span = Days(day, day + datetime.timedelta(days=1))
    found = tallies.read(database, span, ["photo"])
    assert found == {
        Key(day.isoformat(), "live", "a", "photo", "", 2): 3, Key(day.isoformat(), "live", "b�", "photo", "", 2): 1,
    }  # fmt: skip
    added = tallies.read(database, span, ["photo", "score"], by=("kind",))
    assert added == {tallies.NOTHING._replace(kind="photo"): 4, tallies.NOTHING._replace(kind="score"): 56}
    assert tallies.read(database, span, ["photo"], channel="batch") == {}
    scores = tallies.read(database, span, ["score"], "a")
    assert sum(scores.values()) == 3 * len(answer.scores)
    assert tallies.read(database, Days(span.until, span.until + datetime.timedelta(days=9)), ["photo"]) == {}
