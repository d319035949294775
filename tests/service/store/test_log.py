"""The log of decisions, on SQLite and PostgreSQL."""

import pytest
from sqlalchemy import text

from service.chain import BEGINNING
from service.errors import ErrorCode, FaunalensError
from service.store.database import Database
from service.store.decisions import Decisions, Moderator
from service.store.entries import Kind
from service.store.log import Log
from service.store.reviews import Reviews, Wanted
from tests.service.store.conftest import ids

COLUMNS = "item_id, entry, hash, moderator, decision, decided_at"
A = Moderator("a")


def test_an_empty_log(database: Database) -> None:
    log = Log(database)
    check = log.verify()
    assert (check.entries, check.head, check.wrong) == (0, BEGINNING, None)
    assert log.page(0, 10) == [] and not log.has(BEGINNING)
    with pytest.raises(FaunalensError) as caught:
        log.last(1, "0" * 64)
    assert caught.value.code is ErrorCode.UNKNOWN_ITEM


def test_the_last_entry_about_a_photo(found: Database) -> None:
    log, (first, second, _) = Log(found), ids(found)
    digests = {item.id: str(item.fields["image"]["sha256"]) for item in Reviews(found, 60).queue(Wanted(), 9)}
    Decisions(found).decide(first, A, Kind.UNSURE)
    made = Decisions(found).decide(first, A, Kind.REJECT)
    last = log.last(first, digests[first])
    assert last is not None and (last["seq"], last["decision"]) == (made.seq, "reject")
    assert log.last(second, digests[second]) is None
    with pytest.raises(FaunalensError):
        log.last(first, digests[second])


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
