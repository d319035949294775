"""Requests that are sent again, on SQLite and PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, text

from service.errors import ErrorCode, FaunalensError
from service.store.batches import Batches, Entry, NewBatch
from service.store.database import Database
from service.store.decision_log import DecisionLog
from service.store.decisions import Decisions, Moderator
from service.store.kinds import Kind
from service.store.reviews import Reviews
from service.store.tables import Batch
from tests.service.store.conftest import Clock, ids

A, B = Moderator("a"), Moderator("b")
DAY = 86_400


def add(database: Database, owner: str = "ann", key: str | None = "k", fingerprint: str = "f") -> str:
    return Batches(database).add(NewBatch(owner, "default", key=key), [Entry("a.jpg")], fingerprint).id


def count(database: Database, table: str) -> int:
    with database.reading() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar() or 0)


def test_the_same_request_makes_one_batch_also_at_once(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: add(database), range(8)))
    assert len(made) == 1 and count(database, "batches") == count(database, "items") == 1


def test_a_key_is_its_owners_and_one_requests(database: Database) -> None:
    first = add(database)
    assert len({first, add(database, "bob"), add(database, key="other"), add(database, key=None)}) == 4
    with pytest.raises(FaunalensError) as caught:
        add(database, fingerprint="of something else")
    assert caught.value.code is ErrorCode.IDEMPOTENCY_KEY_REUSED and count(database, "batches") == 4


def test_a_key_is_forgotten_after_a_day_and_with_its_batch(database: Database, clock: Clock) -> None:
    first = add(database)
    clock.moment += DAY - 1
    assert add(database) == first and Batches(database).is_known("ann", "k")
    clock.moment += 2
    assert not Batches(database).is_known("ann", "k")
    second = add(database)
    assert second != first and add(database) == second
    with database.writing() as session:
        session.execute(delete(Batch).where(Batch.id == second))
    assert add(database) != second
    clock.moment += DAY + 1
    add(database, key="later")
    assert count(database, "idempotency_keys") == 1


def test_a_decision_that_is_sent_again_is_kept_once_whatever_others_did(found: Database) -> None:
    decisions, (first, second, third) = Decisions(found, "confirm"), ids(found)
    made = decisions.decide(first, A, Kind.CONFIRM, "ivory", key="k")
    assert decisions.decide(first, B, Kind.REJECT).fields["state"] == "escalated"
    assert decisions.decide(first, A, Kind.CONFIRM, "ivory", key="k") == made, "it is no third opinion"
    decisions.decide(first, B, Kind.CONFIRM, "coral")
    with pytest.raises(FaunalensError, match="has been decided already"):
        decisions.decide(first, A, Kind.CONFIRM, "ivory", key="l")
    with pytest.raises(FaunalensError) as caught:
        decisions.decide(first, A, Kind.REJECT, key="k")
    assert caught.value.code is ErrorCode.IDEMPOTENCY_KEY_REUSED
    both = decisions.decide_all([first, second, third], A, Kind.UNSURE, key="m")
    assert isinstance(both[0], FaunalensError)
    decisions.decide(second, B, Kind.REJECT)
    again = decisions.decide_all([second, third], A, Kind.UNSURE, key="m")
    assert again == both[1:] and len(DecisionLog(found).page(0, 10)) == 6


def test_an_undo_that_is_sent_again_goes_back_once(found: Database) -> None:
    decisions, items = Decisions(found), ids(found)
    for item in items:
        decisions.decide(item, A, Kind.REJECT)
    first = decisions.undo_last(A, "k")
    assert decisions.undo_last(A, "k") == first and first.fields["item"] == items[-1]
    assert decisions.undo_last(A, "l").fields["item"] == items[-2]
    assert decisions.undo_last(A).fields["item"] == items[0]
    assert decisions.undo_last(A, "k") == first and len(DecisionLog(found).page(0, 10)) == 6
    Reviews(found, 60).release("a")
    decisions.decide(items[0], B, Kind.REJECT)
    assert decisions.undo_last(B, "k") != first, "a key is its owner's"


def test_an_undo_that_found_nothing_may_be_sent_again(found: Database) -> None:
    decisions = Decisions(found)
    with pytest.raises(FaunalensError, match="to undo"):
        decisions.undo_last(A, "k")
    decisions.decide(ids(found)[0], A, Kind.REJECT)
    assert decisions.undo_last(A, "k").fields["undoes"] == 1
    Batches(found).add(NewBatch("a", "default", key="batch"), [Entry("a.jpg")], "f")
    with pytest.raises(FaunalensError) as caught:
        decisions.undo_last(A, "batch")
    assert caught.value.code is ErrorCode.IDEMPOTENCY_KEY_REUSED
