"""Bulk jobs over real HTTP: which there are, whose they are, what is kept, and their end."""

import datetime
import threading
import time

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from service.keys.keystore import KeyStore
from service.store import tallies
from service.store.tables import Batch
from service.store.tallies import Days, today
from tests.conftest import SAMPLES
from tests.live import until
from tests.service.api.batches import (
    CALM,
    PICTURES,
    as_files,
    ended,
    post,
    problem,
    results,
)


def test_photos_are_kept_with_findings_only(http: httpx.Client, batch_app: FastAPI) -> None:
    bulk = batch_app.state.faunalens.bulk
    batch = post(http, as_files(list(PICTURES)), **CALM)
    ended(http, batch)
    verdicts = {record["position"]: record["verdict"] for record in results(http, batch)}
    kept = {position for position, verdict in verdicts.items() if verdict != "clear"}
    until(lambda: {int(path.name) for path in (bulk.photos.place.root / batch).iterdir()} == kept)
    assert kept and len(kept) < 3


def test_cancel(http: httpx.Client, batch_app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_app.state.faunalens.bulk.claims, "take", lambda: None)
    batch = post(http, as_files(list(PICTURES)), webhook="https://hooks.faunalens.test/x")
    status = http.post(f"/v1/batches/{batch}:cancel").json()
    assert status["state"] == "cancelled" and status["counts"]["cancelled"] == 3
    assert problem(http.post(f"/v1/batches/{batch}:cancel")) == (409, "batch_ended")
    assert results(http, batch) == []
    folder = batch_app.state.faunalens.bulk.photos.place.root / batch
    until(lambda: not any(folder.iterdir()))


def test_who_may_see_what(http: httpx.Client, batch_keys: tuple[KeyStore, dict[str, str]]) -> None:
    texts = batch_keys[1]
    batch = post(http, as_files(["leaves.jpg"]))
    ended(http, batch)

    def get(name: str, path: str) -> httpx.Response:
        return http.get(path, headers={"X-API-Key": texts[name]})

    for path in (f"/v1/batches/{batch}", f"/v1/batches/{batch}/results", f"/v1/batches/{batch}/events"):
        assert get("one", path).status_code == get("moderator", path).status_code == 200
        assert problem(get("two", path)) == (404, "unknown_batch")
        assert problem(get("admin", path)) == (403, "forbidden")
        assert http.get(path, headers={"X-API-Key": ""}).status_code == 401
    for name in ("two", "moderator"):
        refused = http.post(f"/v1/batches/{batch}:cancel", headers={"X-API-Key": texts[name]})
        assert problem(refused) == (404, "unknown_batch")
    listed = {name: {one["id"] for one in get(name, "/v1/batches").json()["batches"]} for name in ("two", "moderator")}
    assert batch not in listed["two"] and batch in listed["moderator"]
    body = as_files(["leaves.jpg"])
    assert problem(http.post("/v1/batches", headers={"X-API-Key": texts["moderator"]}, **body)) == (403, "forbidden")


def test_pages_of_batches(http: httpx.Client) -> None:
    made = [post(http, as_files(["leaves.jpg"])) for _ in range(3)]
    first = http.get("/v1/batches", params={"limit": 2}).json()
    assert [one["id"] for one in first["batches"]] == [made[2], made[1]]
    rest = http.get("/v1/batches", params={"limit": 2, "before": first["next_before"]}).json()
    assert rest["batches"][0]["id"] == made[0]


def test_a_batch_made_before_the_clock_was_put_back_is_listed(http: httpx.Client, batch_app: FastAPI) -> None:
    batch = post(http, as_files(["leaves.jpg"]))
    database = batch_app.state.faunalens.bulk.database
    for seconds in (3600, -3600):
        with database.writing() as session:
            session.execute(update(Batch).where(Batch.id == batch).values(created_at=Batch.created_at + seconds))
        assert http.get("/v1/batches").json()["batches"][0]["id"] == batch


def test_live_requests_go_first(http: httpx.Client, batch_app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the service has pictures of live requests, a batch waits; once a second one of its pictures goes on."""
    state, looked = batch_app.state.faunalens, set[int]()
    claims = state.bulk.claims
    any_ready = claims.any_ready

    def look() -> bool:
        looked.add(threading.get_ident())
        return bool(any_ready())

    until(lambda: not any_ready())  # pictures of the tests before
    monkeypatch.setattr("service.bulk.runner._PATIENCE_SECONDS", 120)
    monkeypatch.setattr(type(state.workers), "pending", property(lambda _: 1))
    monkeypatch.setattr(claims, "any_ready", look)
    # who saw one of those before has looked for another by now
    until(lambda: len(looked) == len(state.bulk._runner._threads))
    batch = post(http, as_files(list(PICTURES)))
    time.sleep(0.5)
    assert http.get(f"/v1/batches/{batch}").json()["counts"]["waiting"] == 3
    monkeypatch.undo()
    assert ended(http, batch)["finished"] == 3


@pytest.mark.usefixtures("http")
def test_housekeeping_goes_on_after_what_nobody_thought_of(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = list[int]()

    def broken(*_: object) -> None:
        rounds.append(1)
        raise RuntimeError

    monkeypatch.setattr("service.bulk.bulk.purge", broken)
    until(lambda: len(rounds) > 1)


def test_photos_that_cannot_be_removed_hold_up_no_counts(
    http: httpx.Client, batch_app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OSError(5, "the object store cannot be used")

    monkeypatch.setattr("service.bulk.bulk.purge", away)
    http.post("/v1/detect?source=held", content=(SAMPLES / "leaves.jpg").read_bytes()).raise_for_status()
    bulk, day = batch_app.state.faunalens.bulk, today()
    span = Days(day - datetime.timedelta(days=1), day + datetime.timedelta(days=1))
    until(lambda: tallies.read(bulk.database, span, ["photo"], "held").total() == 1)
