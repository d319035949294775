import json

import pytest
from sqlalchemy import select

from service.store.batches import Batches, Entry, NewBatch
from service.store.database import Database
from service.store.outbox import Outbox, put, put_finished
from service.store.tables import Delivery
from tests.service.store.conftest import Clock, migrated_anew


def filled(database: Database) -> Outbox:
    new = NewBatch("", "default")
    Batches(database).add(new, [Entry("a")])
    with database.writing() as session:
        put(session, new.id, "finding", "1", "https://a.b/", '{"x": 1}')
        put_finished(session, new.id, "https://a.b/", "done", 1, 1)
    return Outbox(database)


def test_bodies_are_json_with_type_time_and_data(database: Database) -> None:
    first, second = (json.loads(due.body) for due in filled(database).take(10, 60))
    assert first["type"] == "finding" and first["data"] == {"x": 1} and first["timestamp"].endswith("Z")
    assert second["type"] == "batch.finished" and second["data"]["finished"] == 1


def test_taken_ones_come_back_after_the_lease_with_the_same_id(database: Database, clock: Clock) -> None:
    outbox = filled(database)
    first = outbox.take(10, 30)
    assert len(first) == 2 and outbox.take(10, 60) == [] and not outbox.any_due()
    clock.moment += 31
    assert outbox.any_due()
    again = outbox.take(10, 60)
    assert {due.id for due in again} == {due.id for due in first} and {due.attempts for due in again} == {2}


def test_what_is_settled_stays_so(database: Database) -> None:
    outbox = filled(database)
    one, other = outbox.take(10, 0)
    outbox.delivered(one.id)
    outbox.abandon(other.id)
    assert not outbox.any_due() and outbox.take(10, 60) == []


def test_after_a_clock_was_put_back_nothing_waits_for_it(database: Database, clock: Clock) -> None:
    outbox = filled(database)
    one, other = outbox.take(10, 60)
    outbox.again(one.id, 300)
    outbox.again(other.id, 50)
    outbox.catch_up([60, 400, 1000])
    assert not outbox.any_due()
    clock.moment -= 360
    outbox.catch_up([60, 400, 1000])
    assert [due.id for due in outbox.take(10, 60)] == [one.id]
    clock.moment -= 7200
    outbox.catch_up([60, 400, 1000])
    assert {due.id for due in outbox.take(10, 60)} == {one.id, other.id}


def test_again_waits(database: Database) -> None:
    outbox = filled(database)
    one, other = outbox.take(10, 0)
    outbox.again(one.id, 60)
    assert [due.id for due in outbox.take(10, 60)] == [other.id]


def test_what_was_settled_is_forgotten_and_what_was_given_up_later(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that waits is, however old."""
    monkeypatch.setattr("service.store.outbox._AT_ONCE", 1)
    new, outbox = NewBatch("", "default"), Outbox(database)
    Batches(database).add(new, [Entry("a")])
    with database.writing() as session:
        for subject in ("1", "2", "3", "4"):
            put(session, new.id, "finding", subject, "https://a.b/", "{}")
    first, second, given_up, _ = outbox.take(10, 0)
    outbox.delivered(first.id)
    outbox.delivered(second.id)
    outbox.abandon(given_up.id)
    clock.moment += 86_000
    assert not outbox.forget()
    clock.moment += 500
    assert [outbox.forget() for _ in range(3)] == [True, True, False] and states(database) == ["abandoned", "waiting"]
    clock.moment += 28.9 * 86_400
    assert not outbox.forget()
    clock.moment += 0.2 * 86_400
    assert [outbox.forget() for _ in range(2)] == [True, False] and states(database) == ["waiting"]
    assert len(outbox.take(10, 0)) == 1


def states(database: Database) -> list[str]:
    with database.reading() as session:
        return sorted(session.scalars(select(Delivery.state)))


def test_a_host_is_full_however_its_address_is_written(database: Database) -> None:
    new, outbox = NewBatch("", "default"), Outbox(database)
    Batches(database).add(new, [Entry("a")])
    full = ("https://hooks.test", "https://HOOKS.test/x", "https://hooks.test:443/", "https://hooks.test?x")
    others = ("https://hooks.test.other/", "https://other.test/hooks.test")
    with database.writing() as session:
        for number, url in enumerate((*full, *others)):
            put(session, new.id, "finding", str(number), url, "{}")
    before = _hosts(database)
    assert [host for host, _ in before] == ["hooks.test"] * 4 + ["hooks.test.other", "other.test"]
    assert {due.url for due in outbox.take(10, 60, ["hooks.test"])} == set(others)
    assert not outbox.any_due(["hooks.test"]) and outbox.any_due()
    migrated_anew(database, "0010")
    assert _hosts(database) == before, "of an older store too"


def _hosts(database: Database) -> list[tuple[str, str]]:
    with database.reading() as session:
        rows = session.execute(select(Delivery.host, Delivery.url).order_by(Delivery.host, Delivery.url)).all()
    return [(host, url) for host, url in rows]


def test_beside_a_full_host_those_that_wait_longest_come_first(database: Database, clock: Clock) -> None:
    new, outbox = NewBatch("", "default"), Outbox(database)
    Batches(database).add(new, [Entry("a")])
    for number, host in enumerate(("hangs", "b", "hangs", "a", "b", "c")):
        clock.moment += 1
        with database.writing() as session:
            put(session, new.id, "finding", str(number), f"https://{host}.test/{number}", "{}")
    clock.moment += 1
    first = outbox.take(3, 60, ["hangs.test"])
    assert [due.url[-1] for due in first] == ["1", "3", "4"]
    assert [due.url[-1] for due in outbox.take(3, 60, ["hangs.test"])] == ["5"]
    assert not outbox.any_due(["hangs.test"]) and outbox.any_due(["a.test"])
