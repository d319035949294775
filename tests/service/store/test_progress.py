"""A batch that is watched, on SQLite and PostgreSQL."""

import pytest

from service.answer import Answer
from service.errors import ErrorCode, FaunalensError
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims, Outcome
from service.store.database import Database
from service.store.progress import Progress
from tests.service.store.conftest import Clock
from tests.service.store.test_plans import listening

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


def test_a_look_counts_what_came_since_the_last_one(database: Database, answers: list[Answer]) -> None:
    new, claims, batches = NewBatch("", "sensitive"), Claims(database, 60), Batches(database)
    batches.add(new, [Entry(f"{number}.jpg") for number in range(7)])
    watched = batches.watch(new.id, None)
    for _ in range(5):
        finish(claims, answers[0])
    watched.look()
    with listening(database) as asked:
        watched.look()
    assert len(asked) == 1, "nothing came"
    finish(claims, answers[0])
    with listening(database) as asked:
        assert watched.look().counts[answers[0].verdict] == 6
    (counting,) = [values for statement, values in asked if "GROUP BY" in statement]
    assert {5, 6} <= set(counting), "from the last result that was counted to the newest"


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
