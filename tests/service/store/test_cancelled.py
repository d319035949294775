"""A batch is cancelled slice by slice, on SQLite and PostgreSQL."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from service.api.app import create_app
from service.store import cancelled
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.database import Database
from service.store.tables import Item
from tests.service.store.test_service import settings


def states(database: Database) -> dict[str, int]:
    """How many items are in which state."""
    query = select(Item.state, func.count()).group_by(Item.state)
    with database.reading() as session:
        return {state: count for state, count in session.execute(query).all()}  # noqa: C416 - typed


def made(database: Database, items: int) -> str:
    new = NewBatch("", "default")
    Batches(database).add(new, [Entry(f"{number}.jpg", photo=True) for number in range(items)])
    return new.id


def test_a_long_cancel_lets_others_write_in_between(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.store.cancelled.AT_ONCE", 2)
    batch, batches = made(database, 5), Batches(database)
    assert batches.cancel(batch) and states(database) == {"cancelled": 2, "waiting": 3}
    assert Claims(database, 60).take() is None, "none of them is judged any more"
    assert batches.status(batch, None).counts["cancelled"] == 5
    other = made(database, 1)
    left = []
    while cancelled.drop(database):
        left.append(states(database)["waiting"])
    assert left == [2, 1] and states(database) == {"cancelled": 5, "waiting": 1}
    claimed = Claims(database, 60).take()
    assert claimed is not None and claimed.batch_id == other


def test_what_is_given_back_after_the_cancel_is_cancelled_too(database: Database) -> None:
    batch, claims = made(database, 2), Claims(database, 60)
    claimed = claims.take()
    assert claimed is not None and Batches(database).cancel(batch)
    assert states(database) == {"cancelled": 1, "running": 1} and not cancelled.drop(database)
    claims.put_back(claimed, 0)
    assert cancelled.drop(database) and states(database) == {"cancelled": 2}


def test_a_running_service_goes_on_with_it(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.store.cancelled.AT_ONCE", 1)
    bulk = create_app(settings(database, tmp_path)).state.faunalens.bulk
    assert Batches(database).cancel(made(database, 4))
    bulk._drop_cancelled()
    assert states(database) == {"cancelled": 4}
    bulk.database.close()
