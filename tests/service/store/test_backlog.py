"""What waits, on SQLite and PostgreSQL."""

from service.answer import Answer
from service.store import backlog
from service.store.backlog import Waiting
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.database import Database
from service.store.decisions import Decisions, Moderator
from service.store.kinds import Kind
from service.store.outcomes import Outcome
from tests.service.store.conftest import Clock, ids


def test_pictures_wait_from_their_batch_to_their_result(
    database: Database, answers: list[Answer], clock: Clock
) -> None:
    assert backlog.pictures(database) == Waiting()
    batches, claims = Batches(database), Claims(database, 60)
    clock.moment = 1_800_000_000.0
    old, new = NewBatch("", "sensitive"), NewBatch("", "sensitive")
    batches.add(old, [Entry("a.jpg"), Entry("b.jpg")])
    clock.moment += 60
    batches.add(new, [Entry("c.jpg")])
    assert backlog.pictures(database) == Waiting(3, 60.0)
    clock.moment += 30
    held = [claimed for _ in range(3) if (claimed := claims.take())]
    one, other = (claimed for claimed in held if claimed.batch_id == old.id)
    claims.finish(one, Outcome(answers[0]))
    claims.finish(other, Outcome(None, {"code": "corrupt_image"}))
    assert backlog.pictures(database) == Waiting(1, 30.0)
    batches.cancel(new.id)
    assert backlog.pictures(database) == Waiting()


def test_photos_wait_for_moderators_by_state(found: Database) -> None:
    before = backlog.photos(found)
    assert before["open"].count == 3
    assert {state: waiting for state, waiting in before.items() if state != "open"} == dict.fromkeys(
        ("second", "unsure", "escalated"), Waiting()
    )
    confirmed, unsure, _ = ids(found)
    Decisions(found).decide(confirmed, Moderator("a"), Kind.CONFIRM, "ivory")
    Decisions(found).decide(unsure, Moderator("a"), Kind.UNSURE, None)
    after = backlog.photos(found)
    assert (after["open"].count, after["unsure"].count) == (1, 1)
    assert 0 < after["unsure"].seconds < 3600 and after["second"] == Waiting()
