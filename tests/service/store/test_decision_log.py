"""The log of decisions, on SQLite and PostgreSQL."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Select, select, text

from service.chain import BEGINNING
from service.store.database import Database
from service.store.decision_log import Check, DecisionLog
from service.store.decisions import Decisions, Moderator
from service.store.kinds import Kind
from service.store.tables import Review
from tests.service.store.conftest import ids

COLUMNS = "item_id, entry, hash, moderator, decision, decided_at"


def test_an_entry_is_chained_to_the_one_before(found: Database) -> None:
    decisions, log = Decisions(found), DecisionLog(found)
    for item in ids(found):
        decisions.decide(item, Moderator("a"), Kind.REJECT)
    previous = BEGINNING
    for entry in log.page(0, 10):
        digest = hashlib.sha256(entry.entry.encode()).hexdigest()
        previous = hashlib.sha256(f"{previous}\n{digest}".encode()).hexdigest()
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

    def late(table: Any) -> Select[Any]:
        if table is Review:  # the log has been read, the photos come next
            decisions.decide(second, Moderator("a"), Kind.REJECT)
        return select(table)

    monkeypatch.setattr("service.store.decision_log.select", late)
    assert DecisionLog(found).verify().wrong is None


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
    decisions, log = Decisions(found), DecisionLog(found)
    for item in ids(found):
        decisions.decide(item, Moderator("a"), Kind.REJECT)
    assert log.verify().wrong is None
    with found.writing() as session:
        session.execute(text(edit))
    check = log.verify()
    assert check.wrong == wrong and check.reason
