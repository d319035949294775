"""A service over each kind of database."""

import json
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text, update

from service.api.app import create_app
from service.errors import ErrorCode, FaunalensError, StartError
from service.settings import Settings
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claimed
from service.store.database import Database
from service.store.outbox import put
from service.store.outcomes import Outcome
from service.store.states import DeliveryState
from service.store.tables import Delivery
from tests.conftest import SAMPLES
from tests.live import serving, until

PICTURES = sorted(SAMPLES.glob("*.jpg"))[:6]


def settings(database: Database, folder: Path) -> Settings:
    url = database.engine.url.render_as_string(hide_password=False)
    secret = SecretStr(url) if url.startswith("postgresql") else None
    return Settings(auth="off", batches="on", store=folder, database=secret, batch_lease_seconds=1)


def post(client: httpx.Client) -> str:
    files = [("file", (path.name, path.read_bytes())) for path in PICTURES]
    return str(client.post("/v1/batches", files=files).json()["id"])


def test_a_batch_goes_through(database: Database, tmp_path: Path) -> None:
    app = create_app(settings(database, tmp_path))
    with serving(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client:
        batch = post(client)
        until(lambda: client.get(f"/v1/batches/{batch}").json()["state"] == "done")
        lines = client.get(f"/v1/batches/{batch}/results").text.splitlines()
    assert sorted(json.loads(line)["file"] for line in lines) == [path.name for path in PICTURES]
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM items WHERE state = 'judged'")).scalar() == len(PICTURES)


def test_all_photos_whose_time_has_passed_are_removed_at_one_go(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("service.bulk.bulk", "service.store.purge"):
        monkeypatch.setattr(f"{module}.AT_ONCE", 1)
    bulk, new = create_app(settings(database, tmp_path)).state.faunalens.bulk, NewBatch("", "default")
    for position in range(3):
        bulk.photos.write(new.id, position, b"photo")
    bulk.batches.add(new, [Entry(f"{position}.jpg", photo=True) for position in range(3)])
    bulk.batches.cancel(new.id)
    bulk._purge()
    assert not list((tmp_path / "photos" / new.id).iterdir())
    bulk.database.close()


def test_a_running_service_forgets_webhooks_that_were_delivered_long_ago(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.store.outbox._AT_ONCE", 1)
    new = NewBatch("", "default")
    Batches(database).add(new, [Entry("a.jpg", refusal='{"error": {}}')])
    with database.writing() as session:
        for number in range(3):
            put(session, new.id, "finding", str(number), "https://hooks.faunalens.test/", "{}")
        session.execute(update(Delivery).values(state=DeliveryState.DELIVERED, next_at=0.0))

    def kept() -> int:
        with database.reading() as session:
            return session.scalar(select(func.count()).select_from(Delivery)) or 0

    with serving(create_app(settings(database, tmp_path))):
        until(lambda: kept() == 0)


def test_pictures_that_wait_do_not_fail_because_their_photos_are_elsewhere(database: Database, tmp_path: Path) -> None:
    Batches(database).add(NewBatch("", "default"), [Entry("a.jpg", photo=True)])
    with pytest.raises(StartError, match=f"there is none at {tmp_path}/photos: is it the right place"):
        create_app(settings(database, tmp_path))
    (tmp_path / "photos" / "lost").mkdir()
    create_app(settings(database, tmp_path)).state.faunalens.bulk.database.close()


def test_what_one_database_alone_would_refuse_to_look_for(database: Database, tmp_path: Path) -> None:
    nul, last = "%00", 2**63 - 1
    app = create_app(settings(database, tmp_path))
    with serving(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client:
        batch = post(client)
        for path in (f"decisions?cursor={last}", f"batches/{batch}/results?cursor={last}", f"stats?source={nul}"):
            assert client.get(f"/v1/{path}").status_code == 200, path
        for name in ("category", "batch_id", "source", "listing_id"):
            assert client.get(f"/v1/review/queue?{name}={nul}").json() == {"items": []}, name
            assert client.post("/v1/review/claims", json={name: "\0"}).json() == {"items": []}, name
        for path in (nul, f"{nul}/results", f"{nul}/events"):
            assert client.get(f"/v1/batches/{path}").json()["error"]["code"] == "unknown_batch", path
        assert client.get("/v1/batches?before=0").json() == {"batches": [], "next_before": None}
        listed = client.get("/v1/batches?limit=1").json()
        assert len(listed["batches"]) == 1 and listed["next_before"] is None, "this is the last page"
        assert client.get("/v1/batches?before=nan").json()["error"]["code"] == "invalid_parameter"


def test_a_store_that_fails_for_a_moment_loses_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results that could not be written are computed again when the lease ends."""
    app = create_app(settings(database, tmp_path))
    claims = app.state.faunalens.bulk.claims
    finish, failures = claims.finish, [0]

    def failing(claimed: Claimed, outcome: Outcome) -> bool:
        if failures[0] < 3:
            failures[0] += 1
            raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, "not now")
        return bool(finish(claimed, outcome))

    monkeypatch.setattr(claims, "finish", failing)
    with serving(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client:
        batch = post(client)
        until(lambda: client.get(f"/v1/batches/{batch}").json()["state"] == "done")
        status = client.get(f"/v1/batches/{batch}").json()
    assert failures == [3] and status["finished"] == len(PICTURES) and status["counts"]["failed"] == 0


def test_what_waits_is_told_and_nothing_while_the_store_is_away(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(settings(database, tmp_path))
    bulk, told = app.state.faunalens.bulk, app.state.faunalens.metrics.registry.get_sample_value
    bulk.batches.add(NewBatch("", "default"), [Entry(name) for name in "ab"])
    bulk._look()
    assert told("faunalens_batch_pictures_waiting") == 2 and told("faunalens_batch_oldest_seconds") >= 0
    assert (
        told("faunalens_review_photos", {"state": "open"})
        == told("faunalens_review_oldest_seconds", {"state": "open"})
        == 0
    )

    def away(_: Database) -> None:
        raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, "away") from OSError("the disk is full")

    monkeypatch.setattr("service.bulk.bulk.backlog.pictures", away)
    with serving(app):
        until(lambda: told("faunalens_failures_total", {"code": "store_unavailable"}))
        assert told("faunalens_batch_pictures_waiting") is None, "what it was is not what it is"
        assert told("faunalens_review_photos", {"state": "open"}) is None
    assert "housekeeping failed: away (the disk is full)" in caplog.text
