"""Claims and results, on SQLite and PostgreSQL, with threads that really run against each other."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image
from sqlalchemy.orm import Session

from service.answer import Answer
from service.detector import Detector
from service.store import cancelled
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claimed, Claims
from service.store.database import Database
from service.store.outbox import Outbox
from service.store.outcomes import Outcome
from service.store.results import page
from service.store.tables import Item
from tests.conftest import encoded
from tests.service.store.conftest import Clock

HOOK = "https://hooks.faunalens.test/"


@pytest.fixture(scope="module")
def answers(detector: Detector, tusk: bytes) -> tuple[Answer, Answer]:
    """One with a finding, one without."""
    policy = detector.policy("sensitive")
    return detector.answer(tusk, "b", policy), detector.answer(detector_picture(), "b", policy)


def detector_picture() -> bytes:
    return encoded(Image.new("RGB", (64, 64), "white"), "PNG")


def batch(database: Database, items: int, webhook: str | None = None) -> str:
    new = NewBatch("", "default", webhook=webhook)
    Batches(database).add(new, [Entry(f"{number}.jpg", photo=True) for number in range(items)])
    return new.id


def take(claims: Claims) -> Claimed:
    claimed = claims.take()
    assert claimed is not None
    return claimed


def test_nobody_takes_what_another_holds(database: Database) -> None:
    batch(database, 40)
    owners = [Claims(database, 60) for _ in range(4)]

    def take_all(claims: Claims) -> list[int]:
        taken = []
        while claimed := claims.take():
            taken.append(claimed.position)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [position for positions in pool.map(take_all, owners) for position in positions]
    assert sorted(taken) == list(range(40))


def test_results_are_numbered_without_gaps(database: Database, answers: tuple[Answer, Answer]) -> None:
    """A reader who follows the cursor while four write misses nothing and sees nothing twice."""
    made = batch(database, 40, HOOK)
    ended = threading.Event()

    def work(claims: Claims) -> None:
        while claimed := claims.take():
            assert claims.finish(claimed, Outcome(answers[claimed.position % 2]))

    def read() -> list[int]:
        seen: list[int] = []
        while True:
            last = ended.is_set()
            seen += [result.seq for result in page(database, made, seen[-1] if seen else 0, 7)]
            if last and len(seen) >= 40:
                return seen

    with ThreadPoolExecutor(5) as pool:
        reading = pool.submit(read)
        list(pool.map(work, [Claims(database, 60) for _ in range(4)]))
        ended.set()
        assert reading.result(20) == list(range(1, 41))
    status = Batches(database).status(made, None)
    assert (status.batch.state, status.batch.finished, status.left) == ("done", 40, 0)
    due = Outbox(database).take(100, 60)
    events = Counter(json.loads(one.body)["type"] for one in due)
    assert events == {"finding": 20, "batch.finished": 1}


def test_a_thread_that_stalled_is_not_taken_for_the_one_that_took_its_item_again(
    database: Database, answers: tuple[Answer, Answer], ticks: Clock
) -> None:
    """Both are of one process."""
    made, claims = batch(database, 1), Claims(database, 60)
    first = take(claims)
    assert claims.holds(first)
    for _ in range(2):
        claims.free()
        ticks.moment += 60
    second = take(claims)
    assert (claims.holds(first), claims.holds(second)) == (False, True)
    claims.put_back(first, 0)
    assert not claims.finish(first, Outcome(answers[0])) and claims.finish(second, Outcome(answers[1]))
    assert [result.fields["verdict"] for result in page(database, made, 0, 10)] == [answers[1].verdict]


def test_a_dead_owners_items_are_taken_again_and_its_result_is_refused(
    database: Database, answers: tuple[Answer, Answer], ticks: Clock
) -> None:
    made = batch(database, 1)
    dead, living = Claims(database, 60), Claims(database, 60)
    first = take(dead)
    for _ in range(2):
        living.renew([first.id])
        living.free()
        assert living.take() is None
        ticks.moment += 30
    living.free()
    second = take(living)
    assert (second.id, second.attempts) == (first.id, 2)
    dead.put_back(first, 0)
    assert living.take() is None
    assert not dead.finish(first, Outcome(answers[0]))
    assert living.finish(second, Outcome(answers[1]))
    assert not living.finish(second, Outcome(answers[1]))
    assert [result.fields["verdict"] for result in page(database, made, 0, 10)] == [answers[1].verdict]


def test_renewed_leases_hold(database: Database, ticks: Clock) -> None:
    batch(database, 1)
    claims, other = Claims(database, 60), Claims(database, 20)
    held = take(claims)
    for _ in range(4):
        ticks.moment += 15
        claims.renew([held.id])
        other.free()
    assert other.take() is None


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_set_takes_no_item_from_the_living_and_leaves_none_to_the_dead(
    database: Database, clock: Clock, ticks: Clock, hours: int
) -> None:
    batch(database, 1)
    living, other = Claims(database, 20), Claims(database, 20)
    held = take(living)
    other.free()
    clock.moment += hours * 3600
    ticks.moment += 19
    other.free()
    assert other.take() is None
    ticks.moment += 2
    other.free()
    assert take(other).id == held.id


def test_after_a_clock_was_put_back_nothing_waits_for_it(database: Database, clock: Clock) -> None:
    before = batch(database, 3)
    claims = Claims(database, 60)
    claims.put_back(take(claims), 20)
    assert take(claims).batch_id == before
    clock.moment -= 3600
    batch(database, 4)
    assert [take(claims).batch_id == before for _ in range(4)] == [False, True, False, True]


def test_what_was_taken_nine_times_without_a_result_is_worn(database: Database) -> None:
    batch(database, 1)
    claims = Claims(database, 60)
    for attempt in range(1, 9):
        claims.put_back(take(claims), 0, counted=False)
        claimed = take(claims)
        assert claimed.attempts == attempt and not claims.worn(claimed)
        claims.put_back(claimed, 0)
    assert claims.worn(take(claims))


def test_batches_take_turns(database: Database) -> None:
    large, small = batch(database, 50), batch(database, 3)
    claims = Claims(database, 60)
    taken = [take(claims).batch_id for _ in range(8)]
    assert all({*taken[turn : turn + 2]} == {large, small} for turn in (0, 2, 4)) and taken[6:] == [large, large]


def test_what_was_put_back_waits_and_goes_last(database: Database) -> None:
    batch(database, 3)
    claims = Claims(database, 60)
    assert claims.any_ready()
    claims.put_back(take(claims), 0)
    assert [take(claims).position for _ in range(3)] == [1, 2, 0]
    batch(database, 1)
    claims.put_back(take(claims), 60)
    assert claims.take() is None and not claims.any_ready()


def test_nothing_is_taken_of_a_batch_that_is_cancelled_in_the_same_instant(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one lock for all")
    made, claims = batch(database, 2), Claims(database, 60)
    chosen = claims._next

    def late(session: Session, moment: float) -> Item | None:
        item = chosen(session, moment)
        Batches(database).cancel(made)
        return item

    monkeypatch.setattr(claims, "_next", late)
    assert claims.take() is None
    assert cancelled.drop(database) and Batches(database).status(made, None).counts["cancelled"] == 2


def test_cancelled_items_stay_cancelled(database: Database, answers: tuple[Answer, Answer]) -> None:
    made = batch(database, 5, HOOK)
    batches, claims = Batches(database), Claims(database, 60)
    kept, returned = take(claims), take(claims)
    assert batches.cancel(made) and not batches.cancel(made)
    claims.put_back(returned, 0)
    assert claims.take() is None
    assert claims.finish(kept, Outcome(answers[1]))
    status = batches.status(made, None)
    assert status.batch.state == "cancelled"
    assert status.counts == {
        "waiting": 0, "running": 0, "clear": 1, "review": 0, "priority": 0, "failed": 0, "cancelled": 4,
    }  # fmt: skip
    (due,) = Outbox(database).take(10, 60)
    assert json.loads(due.body)["data"]["state"] == "cancelled"


def test_the_last_result_of_a_cancelled_batch_ends_it_no_second_time(
    database: Database, answers: tuple[Answer, Answer]
) -> None:
    made = batch(database, 1, HOOK)
    claims, batches = Claims(database, 60), Batches(database)
    held = take(claims)
    batches.cancel(made)
    assert claims.finish(held, Outcome(answers[1]))
    found = batches.get(made, None)
    assert (found.state, found.finished, found.total) == ("cancelled", 1, 1)
    (due,) = Outbox(database).take(10, 60)
    assert json.loads(due.body)["data"]["state"] == "cancelled"
