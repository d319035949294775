"""Photos with what is known about them, on SQLite and PostgreSQL."""

import pytest

from service.store import cases
from service.store.batches import Batches, Entry, NewBatch
from service.store.database import Database
from service.store.decisions import Decisions, Moderator
from service.store.kinds import Kind
from tests.service.store.conftest import ids


@pytest.mark.parametrize("at_once", [1, 2, 500])
def test_an_export_has_every_photo_of_its_state_once(
    at_once: int, found: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.store.cases._AT_ONCE", at_once)
    everything = sorted(ids(found))
    decided = everything[1]
    Decisions(found).decide(decided, Moderator("a"), Kind.REJECT)
    assert [case.id for case in cases.in_state(found, None)] == everything
    assert [case.id for case in cases.in_state(found, "decided")] == [decided]
    assert [case.id for case in cases.in_state(found, "open")] == [one for one in everything if one != decided]


def test_photos_without_a_result_are_counted(found: Database) -> None:
    new = NewBatch("", "sensitive")
    Batches(found).add(new, [Entry("late.jpg", "L-1"), Entry("other.jpg", "L-9")])
    judged = next(cases.in_state(found, None)).batch_id
    assert cases.unjudged(found, "L-1", None) == 1 and cases.unjudged(found, "L-2", None) == 0
    assert cases.unjudged(found, None, new.id) == 2 and cases.unjudged(found, None, judged) == 0
