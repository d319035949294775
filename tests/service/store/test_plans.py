"""What is asked all the time finds its rows by an index, so that it takes no longer as the store grows."""

import datetime
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, inspect

from service.store import backlog, cancelled, figures
from service.store.batches import Batches, Entry, NewBatch
from service.store.cases import in_state
from service.store.claims import Claims
from service.store.database import Database, open_database
from service.store.decision_log import DecisionLog
from service.store.decisions import Decisions
from service.store.outbox import Outbox
from service.store.photos import Photos
from service.store.purge import Sweeper, purge
from service.store.queues import Wanted
from service.store.results import page
from service.store.reviews import Reviews
from service.store.tables import Decision, Item, Review
from service.store.tallies import Days

BATCH = "b" * 32
Asked = list[tuple[str, Any]]


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    """SQLite plans by the indexes alone, however many rows there are."""
    database = open_database(None, tmp_path)
    yield database
    database.close()


@contextmanager
def listening(database: Database) -> Iterator[Asked]:
    """The statements that are run."""
    asked: Asked = []

    def note(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            asked.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", note)
    yield asked
    event.remove(database.engine, "before_cursor_execute", note)


def plan(database: Database, statement: str, values: Any) -> list[str]:
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        return [str(row[-1]) for row in rows]


CALLS: dict[str, Callable[[Database, Path], object]] = {
    "any_ready": lambda database, _: Claims(database, 60).any_ready(),
    "take": lambda database, _: Claims(database, 60).take(),
    "free": lambda database, _: Claims(database, 60).free(),
    "any_due": lambda database, _: Outbox(database).any_due(),
    "any_due, a host full": lambda database, _: Outbox(database).any_due(["a.b"]),
    "take of the outbox, a host full": lambda database, _: Outbox(database).take(1, 60, ["a.b"]),
    "drop": lambda database, _: cancelled.drop(database),
    "sweep": lambda database, folder: _sweep(database, Photos(folder, None)),
    "catch_up": lambda database, _: Outbox(database).catch_up([60, 60, 100]),
    "forget": lambda database, _: Outbox(database).forget(),
    "purge": lambda database, folder: purge(database, Photos(folder, None)),
    "waiting pictures": lambda database, _: backlog.pictures(database),
    "waiting photos": lambda database, _: backlog.photos(database),
    "status": lambda database, _: Batches(database).status(BATCH, None),
    "results": lambda database, _: page(database, BATCH, 0, 10),
    "claim": lambda database, _: Reviews(database, 60).claim("a", Wanted(), 1),
    "queue of a listing": lambda database, _: Reviews(database, 60).queue(Wanted(listing_id="L"), 1),
    "queue of a batch": lambda database, _: Reviews(database, 60).queue(Wanted(batch_id=BATCH), 1),
    "claim of a batch": lambda database, _: Reviews(database, 60).claim("a", Wanted(batch_id=BATCH), 1),
    "queue of a category": lambda database, _: Reviews(database, 60).queue(Wanted(category="coral"), 1),
    "claim of a category": lambda database, _: Reviews(database, 60).claim("a", Wanted(category="coral"), 1),
    "queue of a source": lambda database, _: Reviews(database, 60).queue(Wanted(source="drop"), 1),
    "claim of a source": lambda database, _: Reviews(database, 60).claim("a", Wanted(source="drop"), 1),
    "batches": lambda database, _: Batches(database).newest(None, 10, 1e18),
    "batches of a key": lambda database, _: Batches(database).newest("a", 10, 1e18),
    "export": lambda database, _: list(in_state(database, "decided")),
    "decisions": lambda database, _: DecisionLog(database).page(0, 10),
    "counts": lambda database, _: Decisions(database).counts(0),
}


def _sweep(database: Database, photos: Photos) -> None:
    photos.write(BATCH, 0, b"x")
    Sweeper(database, photos, -1).look()


@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_looked_through(name: str, empty: Database, tmp_path: Path) -> None:
    Batches(empty).add(NewBatch("", "default", id=BATCH), [Entry("a.jpg", photo=True)])
    with listening(empty) as asked:
        CALLS[name](empty, tmp_path / "photos")
    plans = [step for statement, values in asked for step in plan(empty, statement, values)]
    tables = (
        "batches", "items", "findings", "reviews", "decisions", "deliveries", "fingerprints", "tallies",
        "review_categories",
    )  # fmt: skip
    assert not [step for step in plans if step.startswith(tuple(f"SCAN {table}" for table in tables))]
    if name == "sweep":
        assert any("items_kept (batch_id=?)" in step for step in plans), plans
    if name.startswith(("queue of", "claim of")):
        assert not [step for step in plans if "CORRELATED" in step or "reviews_queue (state" in step], plans
    if name in ("batches", "batches of a key", "export"):
        assert not [step for step in plans if "TEMP B-TREE" in step], plans


def test_an_export_makes_no_objects_of_rows(found: Database) -> None:
    """For a million photos that took longer than to read them."""
    made = list[object]()

    def note(target: object, _context: object) -> None:
        made.append(target)

    for table in (Item, Decision, Review):
        event.listen(table, "load", note)
    try:
        assert len(list(in_state(found, None))) == 3 and made == []
    finally:
        for table in (Item, Decision, Review):
            event.remove(table, "load", note)


def test_sweeping_many_folders_is_one_question(empty: Database, tmp_path: Path) -> None:
    photos = Photos(tmp_path / "photos", None)
    for number in range(5):
        photos.write(f"{number:032d}", 0, b"x")
    sweeper = Sweeper(empty, photos, -1)
    sweeper.look()
    with listening(empty) as asked:
        sweeper.look()
    assert len(asked) == 1 and not list((tmp_path / "photos").iterdir())


def test_an_index_of_kept_photos_holds_no_others(database: Database) -> None:
    """There are a hundred times as many."""
    indexes = {index["name"]: index for index in inspect(database.engine).get_indexes("items")}
    for name in ("items_purge", "items_kept"):
        kind = database.engine.dialect.name
        assert str(indexes[name]["dialect_options"][f"{kind}_where"]) in ("photo = 1", "photo"), indexes[name]


def test_a_report_reads_neither_pictures_nor_the_log(empty: Database) -> None:
    """There are a thousand times as many as rows of a day, and what is said of each is long."""
    for source in (None, "drop"):
        with listening(empty) as asked:
            figures.count(empty, Days(datetime.date(2026, 1, 5), datetime.date(2026, 1, 12)), source)
        steps = [step for one in asked for step in plan(empty, *one)]
        assert not [one for one, _ in asked if re.search(r"(items|findings|decisions)\b", one)], asked
        assert any("day_counts USING INDEX" in step for step in steps), steps
        assert any("reviews USING COVERING INDEX reviews_decided (state=? AND judged_at>" in step for step in steps), (
            steps
        )


@pytest.mark.parametrize("wanted", [{}, {"batch_id": BATCH}, {"source": "drop"}, {"since": 1.0, "until": 2.0}], ids=str)
def test_what_comes_before_a_page_is_passed_in_an_index(wanted: dict[str, Any], empty: Database) -> None:
    with listening(empty) as asked:
        Reviews(empty, 60).queue(Wanted(**wanted), 10, 100_000)
    steps = plan(empty, *asked[0])
    assert "OFFSET" in asked[0][0] and any("USING COVERING INDEX reviews_" in step for step in steps), steps


@pytest.mark.parametrize("name", ["queue", "claim"])
@pytest.mark.parametrize(
    ("given", "index"),
    [
        ("category", "review_categories_queue (category=? AND state=?)"),
        ("category batch_id", "review_categories_batch (batch_id=? AND category=? AND state=?)"),
        ("category source", "review_categories_source (source=? AND category=? AND state=?)"),
        ("category batch_id source", "review_categories_batch (batch_id=? AND category=? AND state=?)"),
        ("batch_id source", "reviews_batch (batch_id=? AND state=?)"),
    ],
)  # fmt: skip
def test_filters_lead_past_no_photo_that_only_some_of_them_want(
    given: str, index: str, name: str, found: Database
) -> None:
    """Of two filters that leave many photos each, none may be what both want. PostgreSQL reads so few rows without an
    index; it must be able to look up in its statistics how many rows there are."""
    reviews = Reviews(found, 60)
    [item] = reviews.queue(Wanted(), 1)
    category = item.fields["findings"][0]["category"]
    every = {"category": category, "batch_id": item.result.batch_id, "source": item.source}
    wanted = Wanted(**{of: every[of] for of in given.split()})
    with listening(found) as asked:
        taken = reviews.queue(wanted, 5) if name == "queue" else reviews.claim("a", wanted, 5)
    assert item.id in [one.id for one in taken]
    # one's own claims are found by themselves
    queues = [one for one in asked if "ORDER BY" in one[0] and "claimed_by = " not in one[0]]
    if found.engine.dialect.name == "postgresql":
        assert queues and not any("coalesce" in statement.lower() for statement, _ in queues)
        return
    plans = ["; ".join(plan(found, *one)) for one in queues]
    assert len(plans) == 1 and f"INDEX {index}" in plans[0], plans


def test_a_batch_is_of_no_other_source(found: Database) -> None:
    [item] = Reviews(found, 60).queue(Wanted(), 1)
    with listening(found) as asked:
        assert Reviews(found, 60).queue(Wanted(batch_id=item.result.batch_id, source="elsewhere"), 5) == []
    [queue] = [statement for statement, _ in asked if "ORDER BY" in statement]
    assert "false" in queue or "0 = 1" in queue, "so no photo is looked at"
