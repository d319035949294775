"""A batch that is watched, on SQLite and PostgreSQL."""

import pytest

from service.answer import Answer
from service.errors import ErrorCode, FaunalensError
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.database import Database
from service.store.outcomes import Outcome
from service.store.progress import Progress
from tests.service.store.conftest import Clock, migrated_anew
from tests.service.store.test_plans import listening, plan

RESULTS = (0, 1, None, 2, 1, None, 0, 3)


def test_each_look_says_what_a_first_look_would(database: Database, answers: list[Answer], clock: Clock) -> None:
    new, claims, batches = NewBatch("", "sensitive"), Claims(database, 60), Batches(database)
    batches.add(new, [Entry(f"{number}.jpg") for number in range(len(RESULTS) + 2)])
    watched = batches.watch(new.id, None)
    for which in RESULTS:
        claimed = claims.take()
        assert claimed is not None
        clock.moment += 0.5
        assert_same(watched, batches, new.id, running=1)
        claims.finish(claimed, Outcome(answers[which]) if which is not None else Outcome(None, {"code": "x"}))
        assert_same(watched, batches, new.id, running=0)
    held = claims.take()
    assert held and batches.cancel(new.id)
    assert_same(watched, batches, new.id, running=1)
    claims.finish(held, Outcome(answers[0]))
    assert_same(watched, batches, new.id, running=0)
    counts = watched.look().counts
    assert counts["failed"] == 2 and counts["cancelled"] == 1 and sum(counts.values()) == 10


def assert_same(watched: Progress, batches: Batches, batch_id: str, running: int) -> None:
    seen, anew = watched.look(), batches.status(batch_id, None)
    assert (seen.counts, seen.rate, seen.left) == (anew.counts, anew.rate, anew.left)
    assert seen.counts["running"] == running and sum(seen.counts.values()) == seen.batch.total


def test_a_look_reads_no_results(database: Database, answers: list[Answer]) -> None:
    """Of a batch there may be a million."""
    new, claims, batches = NewBatch("", "sensitive"), Claims(database, 60), Batches(database)
    batches.add(new, [Entry(f"{number}.jpg") for number in range(3)])
    for which in (0, 2):
        finish(claims, answers[which])
    with listening(database) as asked:
        counts = batches.status(new.id, None).counts
    assert len(asked) == 1 and counts[answers[0].verdict] == counts[answers[2].verdict] == 1
    if database.engine.dialect.name == "sqlite":
        steps = plan(database, *asked[0])
        assert any("(batch_id=? AND seq=?)" in step for step in steps), steps
        assert sum("SEARCH items" in step for step in steps) == 2, steps


def test_results_of_an_older_store_are_counted(database: Database, answers: list[Answer]) -> None:
    new, empty, claims, batches = NewBatch("", "sensitive"), NewBatch("", "x"), Claims(database, 60), Batches(database)
    batches.add(new, [Entry(f"{number}.jpg") for number in range(len(RESULTS) + 1)])
    for which in RESULTS:
        claimed = claims.take()
        assert claimed is not None
        claims.finish(claimed, Outcome(answers[which]) if which is not None else Outcome(None, {"code": "x"}))
    batches.add(empty, [Entry("a.jpg")])
    before = [batches.status(one.id, None).counts for one in (new, empty)]
    migrated_anew(database, "0011")
    assert [batches.status(one.id, None).counts for one in (new, empty)] == before
    assert before[0]["failed"] == 2 and sum(before[0].values()) == len(RESULTS) + 1 and before[1]["waiting"] == 1


def finish(claims: Claims, answer: Answer) -> None:
    claimed = claims.take()
    assert claimed is not None
    claims.finish(claimed, Outcome(answer))


def test_a_batch_of_others_or_one_that_is_gone_is_not_watched(database: Database) -> None:
    new, batches = NewBatch("one", "sensitive"), Batches(database)
    batches.add(new, [Entry("a.jpg")])
    assert batches.watch(new.id, "one").look().left == 1
    for watched in (batches.watch(new.id, "two"), batches.watch("0" * 32, None)):
        with pytest.raises(FaunalensError) as caught:
            watched.look()
        assert caught.value.code is ErrorCode.UNKNOWN_BATCH
