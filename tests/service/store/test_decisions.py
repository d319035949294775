"""Decisions, on SQLite and PostgreSQL."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from service.errors import ErrorCode, FaunalensError
from service.store.database import Database
from service.store.decision_log import DecisionLog
from service.store.decisions import Decisions, Moderator
from service.store.kinds import Kind
from service.store.queues import Wanted
from service.store.reviews import Reviews
from tests.service.store.conftest import ids

A, B, C = Moderator("a"), Moderator("b"), Moderator("c")


def code(decisions: Decisions, *what: object) -> ErrorCode:
    with pytest.raises(FaunalensError) as caught:
        decisions.decide(*what)  # type: ignore[arg-type]
    return caught.value.code


def test_decisions_leave_the_queue_and_enter_the_log(found: Database) -> None:
    reviews, decisions, log = Reviews(found, 60), Decisions(found), DecisionLog(found)
    first, second, third = ids(found)
    decisions.decide(first, A, Kind.CONFIRM)
    decisions.decide(second, A, Kind.REJECT)
    decisions.decide(third, B, Kind.ESCALATE)
    assert ids(found) == [] and len(reviews.queue(Wanted("decided"), 9)) == 2
    decisions.decide(third, C, Kind.CONFIRM, "shell")
    entries = [json.loads(entry.line) for entry in log.page(0, 10)]
    assert [(one["seq"], one["moderator"], one["decision"], one["category"]) for one in entries] == [
        (1, "a", "confirm", "ivory"), (2, "a", "reject", None), (3, "b", "escalate", None),
        (4, "c", "confirm", "shell"),
    ]  # fmt: skip
    assert entries[0]["listing_id"] == "L-1" and len(entries[0]["sha256"]) == 64 and entries[0]["model"]["sha256"]
    assert [entry.seq for entry in log.page(2, 1)] == [3]
    with found.reading() as session:
        bodies = session.execute(text("SELECT body FROM deliveries WHERE event = 'decision.made'")).scalars().all()
    assert sorted(json.loads(body)["data"]["seq"] for body in bodies) == [1, 2, 3, 4]


def test_undo(found: Database) -> None:
    decisions, (first, *_) = Decisions(found), ids(found)
    assert code(decisions, first, A, Kind.UNDO) is ErrorCode.NOTHING_TO_UNDO
    decisions.decide(first, A, Kind.REJECT)
    assert code(decisions, first, B, Kind.UNDO) is ErrorCode.NOTHING_TO_UNDO
    assert json.loads(decisions.decide(first, A, Kind.UNDO).entry)["undoes"] == 1
    assert code(decisions, first, A, Kind.UNDO) is ErrorCode.NOTHING_TO_UNDO
    assert first in ids(found)
    assert code(decisions, first, B, Kind.CONFIRM) is ErrorCode.ITEM_TAKEN, "what was taken back is the moderator's"
    Reviews(found, 60).release("a")
    decisions.decide(first, B, Kind.CONFIRM)
    assert DecisionLog(found).verify().wrong is None


def test_a_photo_of_another_batch_than_was_meant_is_none(found: Database) -> None:
    """Another store counts anew, and numbers alone would stand for other photos."""
    decisions, reviews, items = Decisions(found), Reviews(found, 60), ids(found)
    [one, *_] = reviews.queue(Wanted(), 1)
    batch, other = one.result.batch_id, "0" * 32
    for kind in (Kind.REJECT, Kind.UNDO):
        assert code(decisions, items[0], A, kind, None, None, other) is ErrorCode.UNKNOWN_ITEM
        decisions.decide(items[0], A, kind, None, None, batch)
    done = decisions.decide_all(items, A, Kind.REJECT, batches=[batch, other, batch])
    codes = [one.code if isinstance(one, FaunalensError) else None for one in done]
    assert codes == [None, ErrorCode.UNKNOWN_ITEM, None] and ids(found) == [items[1]]


def test_undoing_the_latest_again_and_again(found: Database) -> None:
    decisions, (first, second, third) = Decisions(found), ids(found)
    decisions.decide(first, A, Kind.REJECT)
    decisions.decide(second, B, Kind.REJECT)
    decisions.decide(third, A, Kind.UNSURE)
    decisions.decide(first, A, Kind.UNDO)
    decisions.decide(first, A, Kind.ESCALATE)
    assert [decisions.undo_last(A).fields["item"] for _ in range(2)] == [first, third]
    with pytest.raises(FaunalensError) as caught:
        decisions.undo_last(A)
    assert caught.value.code is ErrorCode.NOTHING_TO_UNDO
    assert decisions.undo_last(B).fields["item"] == second and DecisionLog(found).verify().wrong is None
    assert decisions.counts(0)["a"] == {"confirm": 0, "reject": 1, "unsure": 1, "escalate": 1, "undo": 3}
    assert decisions.counts(time.time() + 60) == {}


def test_an_undoing_leads_back_to_where_the_photo_was(found: Database) -> None:
    decisions, (first, *_) = Decisions(found), ids(found)
    decisions.decide(first, A, Kind.UNSURE)
    decisions.decide(first, B, Kind.CONFIRM)
    assert decisions.decide(first, B, Kind.UNDO).fields["state"] == "unsure"
    assert DecisionLog(found).verify().wrong is None


def test_what_leaves_a_photo_to_others_is_kept_once_when_it_is_sent_twice(found: Database) -> None:
    reviews, decisions, (first, second, _) = Reviews(found, 60), Decisions(found), ids(found)
    assert decisions.decide(first, A, Kind.UNSURE) == decisions.decide(first, A, Kind.UNSURE)
    assert [item.id for item in reviews.claim("b", Wanted("unsure"), 1)] == [first]
    assert decisions.decide(first, A, Kind.UNSURE).seq == 1, "somebody else has it meanwhile"
    reviews.release("b")
    assert decisions.decide(first, A, Kind.UNDO).fields["state"] == "open"
    assert decisions.decide(first, A, Kind.UNSURE).seq == 3
    reviews.claim("a", Wanted("unsure"), 1)
    assert decisions.decide(first, A, Kind.UNSURE).seq == 4, "who takes it again means it again"
    assert [one.seq for one in decisions.decide_all([second, second], A, Kind.ESCALATE)] == [5, 5]  # type: ignore[union-attr]
    assert decisions.decide(second, B, Kind.ESCALATE).seq == 6, "another moderator says the same"
    assert DecisionLog(found).verify().wrong is None


def test_several_decisions_about_one_photo_are_undone_one_by_one(found: Database) -> None:
    decisions, (first, second, _) = Decisions(found, "confirm"), ids(found)
    for kind in (Kind.UNSURE, Kind.ESCALATE, Kind.REJECT):
        decisions.decide(first, A, kind)
    assert decisions.decide(first, A, Kind.UNDO).fields["state"] == "escalated"
    assert code(decisions, first, A, Kind.UNDO) is ErrorCode.NOTHING_TO_UNDO, "it may have been sent twice"
    assert [decisions.undo_last(A).fields[name] for name in ("undoes", "state")] == [2, "open"]
    decisions.decide(second, A, Kind.CONFIRM)
    decisions.decide(second, B, Kind.UNSURE)
    decisions.decide(second, C, Kind.CONFIRM, "coral")
    for moderator in (C, B):
        assert code(decisions, second, A, Kind.UNDO) is ErrorCode.NOTHING_TO_UNDO, "somebody else's stands last"
        back = decisions.decide(second, moderator, Kind.UNDO)
        Reviews(found, 60).release(moderator.id)
    assert back.fields["state"] == "second"
    assert code(decisions, second, A, Kind.CONFIRM) is ErrorCode.SECOND_OPINION_NEEDED, "it is about a's again"
    assert decisions.undo_last(A).fields["state"] == "open" and DecisionLog(found).verify().wrong is None


def test_many_at_once_and_one_refused(found: Database) -> None:
    decisions, (first, second, third) = Decisions(found), ids(found)
    decisions.decide(second, B, Kind.REJECT)
    done = decisions.decide_all([first, second, 999_999, third], A, Kind.REJECT)
    assert [one.code if isinstance(one, FaunalensError) else one.seq for one in done] == [
        2, ErrorCode.ALREADY_DECIDED, ErrorCode.UNKNOWN_ITEM, 3,
    ]  # fmt: skip
    assert DecisionLog(found).verify().entries == 3


def test_rows_are_locked_in_one_order(found: Database) -> None:
    """Else deciding about many and prolonging the claims on them wait for each other until the server ends one."""
    if found.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one lock for all")
    low, *_, high = sorted(ids(found))
    Reviews(found, 60).claim("a", Wanted(), 3)
    row = text("SELECT item_id FROM reviews WHERE item_id = :id FOR UPDATE NOWAIT")
    with ThreadPoolExecutor(1) as pool:
        with found.writing() as session:
            session.execute(row, {"id": low})
            deciding = pool.submit(Decisions(found).decide_all, [high, low], A, Kind.UNSURE)
            while not session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                time.sleep(0.01)
            session.execute(row, {"id": high})
        assert [one.seq for one in deciding.result()] == [1, 2]  # type: ignore[union-attr]


def test_second_opinion(found: Database) -> None:
    decisions, reviews = Decisions(found, "confirm"), Reviews(found, 60)
    first, second, third = ids(found)
    assert decisions.decide(first, A, Kind.CONFIRM).fields["state"] == "second"
    assert decisions.decide(second, A, Kind.CONFIRM, "coral").fields["state"] == "second"
    assert decisions.decide(third, A, Kind.REJECT).fields["state"] == "decided", "only what is confirmed"
    assert code(decisions, first, A, Kind.CONFIRM) is ErrorCode.SECOND_OPINION_NEEDED
    assert reviews.claim("a", Wanted("second"), 5) == []
    assert [item.id for item in reviews.claim("b", Wanted("second"), 5)] == [first, second]
    assert decisions.decide(first, B, Kind.CONFIRM).fields["state"] == "decided"
    assert decisions.decide(first, B, Kind.UNDO).fields["state"] == "second"
    assert decisions.decide(first, B, Kind.CONFIRM, "ivory").fields["state"] == "decided"
    assert decisions.decide(second, B, Kind.CONFIRM).fields["state"] == "escalated", "two who disagree"
    assert decisions.decide(second, A, Kind.CONFIRM, "coral").fields["state"] == "decided", "the third word counts"
    assert DecisionLog(found).verify().wrong is None
    everything = Decisions(found, "all")
    decisions.decide(third, A, Kind.UNDO)
    reviews.release("a")
    assert everything.decide(third, C, Kind.REJECT).fields["state"] == "second"


def test_two_windows_of_one_moderator(found: Database) -> None:
    reviews, decisions = Reviews(found, 60), Decisions(found)
    (one,) = reviews.claim("a", Wanted(), 1, "x")
    (other,) = reviews.claim("a", Wanted(), 1, "y")
    assert one.id != other.id
    assert code(decisions, one.id, Moderator("a", "y"), Kind.REJECT) is ErrorCode.ITEM_TAKEN
    decisions.decide(one.id, Moderator("a", "x"), Kind.REJECT)
    assert reviews.release("a", "y") == 1


def test_what_is_refused(found: Database) -> None:
    decisions, (first, second, _) = Decisions(found), ids(found)
    assert code(decisions, 999_999, A, Kind.REJECT) is ErrorCode.UNKNOWN_ITEM
    Reviews(found, 60).claim("a", Wanted(), 1)
    assert code(decisions, first, B, Kind.REJECT) is ErrorCode.ITEM_TAKEN
    decisions.decide(first, A, Kind.REJECT)
    decisions.decide(second, B, Kind.UNSURE)
    assert code(decisions, first, A, Kind.CONFIRM) is ErrorCode.ALREADY_DECIDED
    assert len(DecisionLog(found).page(0, 10)) == 2


def test_what_is_confirmed_or_escalated_is_kept_longer(found: Database) -> None:
    with found.writing() as session:
        session.execute(text("UPDATE items SET photo = :yes, purge_at = 5.0"), {"yes": True})
    first, second, third = ids(found)
    decisions, before = Decisions(found, keep=3600), time.time()
    decisions.decide(first, Moderator("a"), Kind.CONFIRM)
    decisions.decide(second, Moderator("a"), Kind.REJECT)
    decisions.decide(third, Moderator("a"), Kind.ESCALATE)
    with found.reading() as session:
        until = dict(session.execute(text("SELECT id, purge_at FROM items")).all())  # type: ignore[arg-type]
    assert until[second] == 5.0
    assert all(before + 3600 <= until[item] <= time.time() + 3601 for item in (first, third))
