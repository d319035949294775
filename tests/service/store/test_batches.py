"""Batches: how far they are, and whose, on SQLite and PostgreSQL."""

import time

import pytest
from sqlalchemy import event, select

from service.answer import Answer
from service.errors import ErrorCode, FaunalensError
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.database import Database
from service.store.outcomes import Outcome
from service.store.tables import Item
from tests.service.store.conftest import Clock


def test_rate_and_what_is_left(database: Database, answers: list[Answer], clock: Clock) -> None:
    new, batches, claims = NewBatch("", "sensitive"), Batches(database), Claims(database, 60)
    batches.add(new, [Entry(f"{number}.jpg") for number in range(10)])
    assert batches.status(new.id, None).rate is None, "nothing is known yet"
    for _ in range(4):
        claimed = claims.take()
        assert claimed is not None
        clock.moment += 0.5
        claims.finish(claimed, Outcome(answers[1]))
    held = claims.take()
    status = batches.status(new.id, None)
    assert status.rate == pytest.approx(2.0) and status.left == 6
    wanted = {"waiting": 5, "running": 1, "priority": 4}
    assert status.counts == {**dict.fromkeys(status.counts, 0), **wanted}
    clock.moment += 3
    assert batches.status(new.id, None).rate == pytest.approx(3 / 4.5), "a batch that stands still gets slower"
    while held:
        claims.finish(held, Outcome(answers[1]))
        held = claims.take()
    clock.moment += 1000
    ended = batches.status(new.id, None)
    assert ended.left == 0 and ended.rate == pytest.approx(9 / 4.5), "after the end it stays"


def test_owners_see_their_own(database: Database) -> None:
    new = NewBatch("key1", "default")
    batches = Batches(database)
    batches.add(new, [Entry("a")])
    assert batches.get(new.id, "key1").owner == "key1" == batches.get(new.id, None).owner
    for owner, identity in (("key2", new.id), ("", new.id), ("key1", "0" * 32)):
        with pytest.raises(FaunalensError) as caught:
            batches.get(identity, owner)
        assert caught.value.code is ErrorCode.UNKNOWN_BATCH
    assert [found.id for found in batches.newest("key1", 10, time.time() + 1)] == [new.id]
    assert batches.newest("key2", 10, time.time() + 1) == []


def test_pictures_come_in_many_at_a_time(database: Database) -> None:
    """PostgreSQL is asked over the network: a question for each of 100,000 pictures took two minutes."""
    asked = list[int]()

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO items"):
            asked.append(statement.count("), ("))

    event.listen(database.engine, "before_cursor_execute", note)
    made = Batches(database).add(NewBatch("", "p"), [Entry(f"{number}.jpg") for number in range(1_200)])
    event.remove(database.engine, "before_cursor_execute", note)
    # SQLite's module takes the rows one by one, and nobody is far away
    assert len(asked) == 3 and (database.engine.dialect.name == "sqlite" or min(asked) > 100)
    with database.reading() as session:
        names = session.scalars(select(Item.name).where(Item.batch_id == made.id).order_by(Item.position)).all()
    assert names == [f"{number}.jpg" for number in range(1_200)]
