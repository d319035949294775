"""The log of decisions, on SQLite and PostgreSQL."""

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Select, event, select, text

from service.answer import Answer
from service.chain import BEGINNING, digest, link
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.database import Database
from service.store.decision_log import Check, DecisionLog
from service.store.decisions import Decisions, Moderator
from service.store.kinds import Kind
from service.store.outcomes import Outcome
from service.store.tables import Decision, Review
from tests.conftest import ROOT
from tests.service.store.conftest import ids

COLUMNS = "item_id, entry, hash, moderator, decision, decided_at"


def test_an_entry_is_chained_to_the_one_before(found: Database) -> None:
    decisions, log = Decisions(found), DecisionLog(found)
    for item in ids(found):
        decisions.decide(item, Moderator("a"), Kind.REJECT)
    previous = BEGINNING
    for entry in log.page(0, 10):
        of_text = hashlib.sha256(entry.entry.encode()).hexdigest()
        previous = hashlib.sha256(f"{previous}\n{of_text}".encode()).hexdigest()
        assert entry.hash == previous
    assert log.verify() == Check(3, previous, None)


def test_many_at_once_make_one_chain(found: Database) -> None:
    decisions, items = Decisions(found), ids(found)

    def work(item: int) -> None:
        for _ in range(8):
            decisions.decide(item, Moderator(str(item)), Kind.REJECT)
            decisions.decide(item, Moderator(str(item)), Kind.UNDO)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, items))
    log = DecisionLog(found)
    check = log.verify()
    assert (check.entries, check.wrong) == (48, None) and log.has(check.head) and not log.has("0" * 64)


def test_what_is_decided_meanwhile_is_no_edit(found: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    decisions, (first, second, *_) = Decisions(found), ids(found)
    decisions.decide(first, Moderator("a"), Kind.REJECT)

    def late(*columns: Any) -> Select[Any]:
        if columns[0] is Review.item_id:  # the log has been read, the photos come next
            decisions.decide(second, Moderator("a"), Kind.REJECT)
        return select(*columns)

    monkeypatch.setattr("service.store.decision_log.select", late)
    assert DecisionLog(found).verify().wrong is None


def test_neither_log_nor_photos_are_read_all_at_once(found: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million photos took one and a half gigabytes."""
    monkeypatch.setattr("service.store.decision_log._PAGE", 2)
    for item in ids(found):
        Decisions(found).decide(item, Moderator("a"), Kind.REJECT)
    asked = list[str]()
    event.listen(found.engine, "before_cursor_execute", lambda _, __, text, *___: asked.append(text))
    assert DecisionLog(found).verify().entries == 3
    reading = [text for text in asked if text.startswith("SELECT")]
    assert len(reading) == 6 and all(" LIMIT " in text.replace("\n", " ") for text in reading)


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
        ("UPDATE reviews SET last_seq = 1 WHERE last_seq = 3", 1),
        ("UPDATE reviews SET answer = 'ivory' WHERE last_seq = 2", 2),
        ("UPDATE decisions SET decision = 'confirm' WHERE seq = 2", 2),
        ("UPDATE decisions SET item_id = 1000 WHERE seq = 2", 2),
        ("UPDATE decisions SET moderator = 'b' WHERE seq = 3", 3),
        ("UPDATE decisions SET decided_at = 0 WHERE seq = 1", 1),
    ],
)
def test_any_edit_is_found(found: Database, edit: str, wrong: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.store.decision_log._PAGE", 2)  # a log longer than one page
    decisions, log = Decisions(found), DecisionLog(found)
    for item in ids(found):
        decisions.decide(item, Moderator("a"), Kind.REJECT)
    assert log.verify().wrong is None
    with found.writing() as session:
        session.execute(text(edit))
    check = log.verify()
    assert check.wrong == wrong and check.reason


def test_the_log_outlives_removed_batches_and_is_of_no_later_photo(found: Database, answers: list[Answer]) -> None:
    decisions, log = Decisions(found), DecisionLog(found)
    removed = ids(found)
    for item in removed:
        decisions.decide(item, Moderator("a"), Kind.REJECT)
    # as docs/batches.md says; foreign keys are on here
    (statement,) = re.findall(r"^(DELETE FROM batches .*);$", (ROOT / "docs/batches.md").read_text(), re.M)
    with found.writing() as session:
        session.execute(text(statement.replace("1764547200", str(2**40))))
        for table in ("items", "findings", "reviews", "fingerprints", "deliveries", "day_counts"):
            assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0, table
    assert log.verify().entries == len(removed) and log.verify().wrong is None
    Batches(found).add(NewBatch("", "sensitive"), [Entry(f"{number}.jpg") for number in range(6)])
    claims = Claims(found, 60)
    while claimed := claims.take():
        claims.finish(claimed, Outcome(answers[0]))
    assert not {*ids(found)} & {*removed} and log.verify().wrong is None


@pytest.mark.parametrize(
    "forged",
    [
        "no JSON", "[]", "{}", "[" * 100_000,
        json.dumps({"seq": 5, "decided_at": "1970-01-01T00:00:00Z", "moderator": "a", "decision": "reject", "item": 9}),
        json.dumps({"seq": 4, "decided_at": "1970-01-01T00:00:00Z", "moderator": "a", "decision": "burn", "item": 9}),
        json.dumps({"seq": 4, "decided_at": "1970-01-01T00:00:00Z", "moderator": "a", "decision": "reject"}),
    ],
)  # fmt: skip
def test_an_entry_whose_hash_was_made_to_fit_must_be_one(found: Database, forged: str) -> None:
    decisions, log = Decisions(found), DecisionLog(found)
    for item in ids(found):
        decisions.decide(item, Moderator("a"), Kind.REJECT)
    fields = json.loads(forged) if forged.startswith("{") else {}
    with found.writing() as session:
        session.add(
            Decision(
                seq=4, item_id=9, entry=forged, hash=link(log.verify().head, digest(forged)), moderator="a",
                decision=fields.get("decision", "reject"), decided_at=0.0,
            )
        )  # fmt: skip
    check = log.verify()
    assert (check.entries, check.wrong) == (3, 4) and check.reason
