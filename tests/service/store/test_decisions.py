"""Queue, claims and the log of decisions, on SQLite and PostgreSQL."""

import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from service import store
from service.answer import Answer
from service.chain import BEGINNING
from service.detector import Detector
from service.errors import ErrorCode, FaunalensError
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims, Outcome
from service.store.database import Database, open_database
from service.store.decisions import Decisions, Kind, Moderator
from service.store.reviews import ReviewItem, Reviews, Wanted
from tests.conftest import SAMPLES
from tests.service.store.conftest import Clock

NAMES = ("almonds.jpg", "tusk-single.jpg", "bananas.jpg", "wood-chips.jpg")
COLUMNS = "item_id, entry, hash, moderator, decision, decided_at"


@pytest.fixture(scope="module")
def answers(detector: Detector) -> list[Answer]:
    policy = detector.policy("sensitive")
    return [detector.answer((SAMPLES / name).read_bytes(), "b", policy) for name in NAMES]


@pytest.fixture
def found(database: Database, answers: list[Answer]) -> Database:
    """A judged batch: three photos with findings, of which the tusk is the most pressing."""
    new = NewBatch("", "sensitive", source="uploads", webhook="https://hooks.faunalens.test/")
    Batches(database).add(new, [Entry(name, f"L-{number}") for number, name in enumerate(NAMES)])
    claims = Claims(database, 60)
    while claimed := claims.take():
        claims.finish(claimed, Outcome(answers[claimed.position]))
    return database


def names(items: list[ReviewItem]) -> list[str]:
    return [item.result.name for item in items]


def pressing(answers: list[Answer]) -> list[str]:
    """The files with findings, by their verdict and then the strongest probability, whatever the weights are."""
    found = {name: answer for name, answer in zip(NAMES, answers, strict=True) if answer.findings}
    ranks = {"priority": 0, "review": 1}
    return sorted(found, key=lambda name: (ranks[found[name].verdict], -found[name].findings[0].probability))


def ids(database: Database) -> list[int]:
    return [item.id for item in Reviews(database, 60).queue(Wanted(), 10)]


A, B, C = Moderator("a"), Moderator("b"), Moderator("c")


def code(decisions: Decisions, *what: object) -> ErrorCode:
    with pytest.raises(FaunalensError) as caught:
        decisions.decide(*what)  # type: ignore[arg-type]
    return caught.value.code


def test_the_most_pressing_comes_first_and_what_is_clear_never(found: Database, answers: list[Answer]) -> None:
    queue = Reviews(found, 60).queue(Wanted(), 10)
    assert names(queue) == pressing(answers) and len(queue) == 3 and queue[0].result.name == "tusk-single.jpg"
    assert [item.fields["verdict"] for item in queue] == ["priority", "review", "review"]
    assert queue[0].fields["listing_id"] == "L-1" and queue[0].fields["source"] == "uploads"
    assert names(Reviews(found, 60).queue(Wanted(), 1, 1)) == pressing(answers)[1:2]


def test_filters(found: Database, answers: list[Answer]) -> None:
    reviews = Reviews(found, 60)
    for category in {finding.category for answer in answers for finding in answer.findings}:
        chosen = names(reviews.queue(Wanted(category=category, source="uploads"), 10))
        having = (category in {finding.category for finding in answer.findings} for answer in answers)
        assert sorted(chosen) == sorted(name for name, has in zip(NAMES, having, strict=True) if has)
    moment = time.time()
    assert len(reviews.queue(Wanted(since=moment - 60, until=moment + 60), 10)) == 3
    assert names(reviews.queue(Wanted(listing_id="L-1"), 10)) == ["tusk-single.jpg"]
    assert reviews.queue(Wanted(since=moment + 60), 10) == reviews.queue(Wanted(until=moment - 60), 10) == []
    for nothing in (Wanted(category="coral"), Wanted(source="x"), Wanted(batch_id="x"), Wanted(state="decided")):
        assert reviews.queue(nothing, 10) == []


def test_two_moderators_never_get_the_same(found: Database) -> None:
    reviews = Reviews(found, 60)
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda name: names(reviews.claim(name, Wanted(), 1)), ("a", "b", "c", "d")))
    assert sorted(name for some in taken for name in some) == ["almonds.jpg", "tusk-single.jpg", "wood-chips.jpg"]
    assert reviews.claim("e", Wanted(), 5) == []


def test_a_claim_ends_by_itself_or_by_hand(found: Database, clock: Clock) -> None:
    short = Reviews(found, 30)
    assert len(short.claim("a", Wanted(), 5)) == 3
    assert len(short.claim("a", Wanted(), 5)) == 3, "one's own come again"
    clock.moment += 31
    long = Reviews(found, 60)
    assert len(long.claim("b", Wanted(), 5)) == 3 and long.claim("a", Wanted(), 5) == []
    assert long.release("b") == 3 and len(long.claim("a", Wanted(), 5)) == 3


def test_decisions_leave_the_queue_and_enter_the_log(found: Database) -> None:
    reviews, decisions = Reviews(found, 60), Decisions(found)
    first, second, third = ids(found)
    decisions.decide(first, A, Kind.CONFIRM)
    decisions.decide(second, A, Kind.REJECT)
    decisions.decide(third, B, Kind.ESCALATE)
    assert ids(found) == [] and len(reviews.queue(Wanted("decided"), 9)) == 2
    decisions.decide(third, C, Kind.CONFIRM, "shell")
    entries = [json.loads(entry.line) for entry in decisions.page(0, 10)]
    assert [(one["seq"], one["moderator"], one["decision"], one["category"]) for one in entries] == [
        (1, "a", "confirm", "ivory"), (2, "a", "reject", None), (3, "b", "escalate", None),
        (4, "c", "confirm", "shell"),
    ]  # fmt: skip
    assert entries[0]["listing_id"] == "L-1" and len(entries[0]["sha256"]) == 64 and entries[0]["model"]["sha256"]
    assert [entry.seq for entry in decisions.page(2, 1)] == [3]
    previous = BEGINNING
    for entry in decisions.page(0, 10):
        digest = hashlib.sha256(entry.entry.encode()).hexdigest()
        previous = hashlib.sha256(f"{previous}\n{digest}".encode()).hexdigest()
        assert entry.hash == previous
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
    assert decisions.verify().wrong is None


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
    assert decisions.undo_last(B).fields["item"] == second and decisions.verify().wrong is None
    assert decisions.counts(0)["a"] == {"confirm": 0, "reject": 1, "unsure": 1, "escalate": 1, "undo": 3}
    assert decisions.counts(time.time() + 60) == {}


def test_an_undoing_leads_back_to_where_the_photo_was(found: Database) -> None:
    decisions, (first, *_) = Decisions(found), ids(found)
    decisions.decide(first, A, Kind.UNSURE)
    decisions.decide(first, B, Kind.CONFIRM)
    assert decisions.decide(first, B, Kind.UNDO).fields["state"] == "unsure"
    assert decisions.verify().wrong is None


def test_many_at_once_and_one_refused(found: Database) -> None:
    decisions, (first, second, third) = Decisions(found), ids(found)
    decisions.decide(second, B, Kind.REJECT)
    done = decisions.decide_all([first, second, 999_999, third], A, Kind.REJECT)
    assert [one.code if isinstance(one, FaunalensError) else one.seq for one in done] == [
        2, ErrorCode.ALREADY_DECIDED, ErrorCode.UNKNOWN_ITEM, 3,
    ]  # fmt: skip
    assert decisions.verify().entries == 3


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
    assert decisions.verify().wrong is None
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
    assert len(decisions.page(0, 10)) == 2


def test_many_at_once_make_one_chain(found: Database) -> None:
    decisions, items = Decisions(found), ids(found)

    def work(item: int) -> None:
        for _ in range(8):
            decisions.decide(item, Moderator(str(item)), Kind.REJECT)
            decisions.decide(item, Moderator(str(item)), Kind.UNDO)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, items))
    check = decisions.verify()
    assert (check.entries, check.wrong) == (48, None) and decisions.has(check.head) and not decisions.has("0" * 64)


@pytest.mark.parametrize(
    ("edit", "wrong"),
    [
        ("UPDATE decisions SET entry = replace(entry, 'reject', 'confirm') WHERE seq = 2", 2),
        (f"UPDATE decisions SET hash = '{BEGINNING}' WHERE seq = 3", 3),
        ("DELETE FROM decisions WHERE seq = 1", 2),
        ("DELETE FROM decisions WHERE seq = 2", 3),
        (
            f"INSERT INTO decisions SELECT 0, {COLUMNS} FROM decisions WHERE seq = 1",
            0,
        ),
        (
            f"INSERT INTO decisions SELECT 4, {COLUMNS} FROM decisions WHERE seq = 1",
            4,
        ),
        ("DELETE FROM decisions WHERE seq = 3", 3),
        ("UPDATE reviews SET state = 'open' WHERE last_seq = 2", 2),
        ("UPDATE decisions SET moderator = 'b' WHERE seq = 3", 3),
        ("UPDATE decisions SET decided_at = 0 WHERE seq = 1", 1),
    ],
)
def test_any_edit_is_found(found: Database, edit: str, wrong: int) -> None:
    decisions = Decisions(found)
    for item in ids(found):
        decisions.decide(item, A, Kind.REJECT)
    assert decisions.verify().wrong is None
    with found.writing() as session:
        session.execute(text(edit))
    check = decisions.verify()
    assert check.wrong == wrong and check.reason


def test_what_was_found_before_the_queue_was_there_is_in_it(
    found: Database, answers: list[Answer], tmp_path: Path
) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(store.__file__ or "").parent / "migrations"))
    with found.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    url = found.engine.url.render_as_string(hide_password=False)
    again = open_database(url if url.startswith("postgresql") else None, tmp_path)
    assert names(Reviews(again, 60).queue(Wanted(), 10)) == pressing(answers)
    again.close()


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
