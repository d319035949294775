"""What is counted as results are written is what counting them all gives, and what a migrated store has."""

import dataclasses
import datetime
import json
import random
from collections import Counter

import pytest
from sqlalchemy import select, text

from service.answer import Answer
from service.detector import Detector
from service.errors import FaunalensError
from service.store import figures
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.database import Database
from service.store.decisions import Decisions, Moderator
from service.store.figures import Counted
from service.store.kinds import Kind
from service.store.outcomes import Outcome, Sample
from service.store.tables import Batch, Decision, Finding, Item, Review
from service.store.tallies import Days
from tests.conftest import SAMPLES
from tests.service.store.conftest import Clock, migrated_anew

MIDNIGHT, DAY = 1_767_225_600.0, datetime.date(2026, 1, 1)
NAMES = ("ivory", "shell", "coral")
ONE = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def answer(detector: Detector) -> Answer:
    return detector.answer((SAMPLES / "tusk-single.jpg").read_bytes(), "b", detector.policy("sensitive"))


def outcome(answer: Answer, chance: random.Random) -> Outcome:
    """Any result: failed, clear, of the sample, or with up to three findings, of which two may be equally strong."""
    names = chance.sample(NAMES, chance.randrange(4))
    found = [
        answer.findings[0].model_copy(update={"category": name, "probability": chance.choice((0.3, 0.6))})
        for name in names
    ]
    verdict = chance.choice(("review", "priority")) if found else "clear"
    policy = answer.policy.model_copy(update={"sha256": chance.choice("ab") * 64})
    made = answer.model_copy(update={"findings": tuple(found), "verdict": verdict, "policy": policy})
    if not found and chance.random() < 0.3:
        return Outcome(None, {"code": "corrupt_image"})
    sampled = not found and chance.random() < 0.7
    return Outcome(made, sample=Sample(0.5, answer.findings[0], chance.random()) if sampled else None)


def fill(database: Database, answer: Answer, clock: Clock, chance: random.Random) -> None:
    """Three batches over two midnights, one cancelled half-way; decisions of two who must agree, and undoings."""
    claims = Claims(database, 60)
    for number, source in enumerate(("a", "b", "a")):
        batch = Batches(database).add(NewBatch("", "p", source), [Entry(str(place)) for place in range(24)])
        for place in range(24):
            clock.moment = MIDNIGHT + (place - 12) / 4_194_304 if number else MIDNIGHT + 86_400 * (place - 8) / 9
            if number == 2 and place == 15:
                Batches(database).cancel(batch.id)
            if claimed := claims.take():
                assert claims.finish(claimed, outcome(answer, chance))
    for _ in range(90):
        decisions = Decisions(database, chance.choice(("off", "confirm", "all")))
        with database.reading() as session:
            item = chance.choice(session.scalars(select(Review.item_id)).all())
        kind, name = chance.choice(list(Kind)), chance.choice(NAMES)
        try:
            decisions.decide(item, Moderator(chance.choice("xy")), kind, name if kind is Kind.CONFIRM else None)
        except FaunalensError:
            continue


def recounted(database: Database, days: Days) -> Counted:
    """The same from every picture, finding and entry of the log."""
    counted, (since, until) = Counted(), days.seconds
    with database.reading() as session:
        found = Counter[int]()
        for item, source in session.execute(select(Item, Batch.source).join(Batch)).all():
            if item.judged_at is None or not since <= item.judged_at < until:
                continue
            own = session.scalars(select(Finding).where(Finding.item_id == item.id)).all()
            figures_of, found[item.id] = counted.sources[source], len(own)
            figures_of.failed += item.state == "failed"
            figures_of.seen += item.rank is not None
            figures_of.flagged += bool(item.rank)
            figures_of.priority += item.rank == 2
            top = min((-one.probability, one.category) for one in own)[1] if own else None
            for one in own:
                counted.categories[source, one.category].findings += 1
                counted.categories[source, one.category].flagged += one.category == top
            review = session.get(Review, item.id)
            if review is None or review.state != "decided":
                continue
            entry = json.loads(session.get_one(Decision, review.last_seq).entry)
            said = entry["category"] if entry["decision"] == "confirm" else None
            counted.judges.add(f"{entry['model']['sha256'][:16]} {entry['policy']['sha256'][:40]}")
            if review.sampled is None:
                figures_of.decided += 1
                figures_of.confirmed += said is not None
                assert top
                counted.categories[source, top].decided += 1
                counted.categories[source, top].confirmed += said == top
            else:
                figures_of.sampled += 1
                figures_of.missed += said is not None
            if said:
                part = counted.categories[source, said]
                part.found += review.sampled is None
                part.missed += review.sampled is not None
    return counted


def given(found: Counted) -> tuple[object, ...]:
    """What is not nothing of it."""
    parts = ({of: dataclasses.asdict(one) for of, one in kind.items()} for kind in (found.sources, found.categories))
    return *({of: one for of, one in kind.items() if any(one.values())} for kind in parts), found.judges


@pytest.mark.parametrize("seed", range(2))
def test_days_are_counted_as_all_pictures_are_and_so_are_those_of_a_migrated_store(
    seed: int, database: Database, answer: Answer, clock: Clock
) -> None:
    fill(database, answer, clock, random.Random(seed))
    spans = [Days(DAY + ONE * number, DAY + ONE * (number + 1)) for number in range(-2, 3)]
    wanted = [given(recounted(database, span)) for span in spans]
    assert sum(map(bool, (sources for sources, *_ in wanted))) == 3 and any(judges for *_, judges in wanted)
    assert [given(figures.count(database, span)) for span in spans] == wanted
    migrated_anew(database, "0012")
    assert [given(figures.count(database, span)) for span in spans] == wanted
    of_a = figures.count(database, spans[2], "a")
    assert set(of_a.sources) == {"a"} == {source for source, _ in of_a.categories}


def test_what_is_counted_goes_with_its_batch(database: Database, answer: Answer, clock: Clock) -> None:
    fill(database, answer, clock, random.Random(7))
    with database.writing() as session:
        session.execute(text("DELETE FROM batches WHERE source = 'a'"))
    span = Days(DAY - ONE * 9, DAY + ONE * 9)
    assert given(figures.count(database, span)) == given(recounted(database, span))
    assert set(figures.count(database, span).sources) == {"b"}
