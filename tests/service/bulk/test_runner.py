"""What is counted of a batch's pictures is what the store has of them."""

import asyncio
import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from service.api.app import create_app
from service.bulk.runner import Runner, Surroundings
from service.detector import Detector
from service.errors import ErrorCode, FaunalensError
from service.outbound.fetch import Fetcher
from service.settings import Settings
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claimed, Claims
from service.store.database import Database, open_database
from service.store.outcomes import Outcome
from service.store.photos import Photos
from service.store.places import Folder
from service.store.queues import Wanted
from service.store.results import page
from service.store.reviews import Reviews
from service.store.tallies import Tallies
from service.telemetry.metrics import Metrics
from tests.conftest import SAMPLES
from tests.live import serving, until


def test_a_failure_that_the_store_refuses_at_first_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, refused = Claims.finish, []

    def refuse_once(claims: Claims, claimed: Claimed, outcome: Outcome) -> bool:
        if not refused:
            refused.append(claimed.position)
            raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, "The disk is full.")
        return finish(claims, claimed, outcome)

    monkeypatch.setattr(Claims, "finish", refuse_once)
    app = create_app(Settings(batches="on", store=tmp_path, batch_lease_seconds=1))
    with serving(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client:
        batch = client.post("/v1/batches", files=[("file", ("a.jpg", b"no picture", "image/jpeg"))]).json()["id"]
        until(lambda: client.get(f"/v1/batches/{batch}").json()["state"] == "done")
    # the last picture is counted a moment after the batch is done, and before the service ends
    counted = app.state.faunalens.metrics.registry.get_sample_value
    assert refused == [0]
    assert counted("faunalens_failures_total", {"code": "unsupported_format"}) == 1


def test_a_picture_does_not_fail_because_there_was_no_room_to_fetch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = 0

    async def fetch(_: Fetcher, url: str, flow: str) -> bytes:
        nonlocal refused
        assert flow == "batches"
        if refused < 12:
            refused += 1
            raise FaunalensError(ErrorCode.OVERLOADED, "Too many pictures are being fetched.")
        return (SAMPLES / "bananas.jpg").read_bytes()

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    monkeypatch.setattr("service.bulk.runner._OURS", {ErrorCode.OVERLOADED: 0.0})
    monkeypatch.setattr("service.bulk.runner._AGAIN_SECONDS", 0.0)
    app = create_app(Settings(batches="on", store=tmp_path, url_input="on", url_hosts=("photos.faunalens.test",)))
    with serving(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client:
        headers = {"Content-Type": "application/jsonl"}
        line = b'{"url": "https://photos.faunalens.test/a.jpg"}'
        batch = client.post("/v1/batches", content=line, headers=headers).json()["id"]
        until(lambda: client.get(f"/v1/batches/{batch}").json()["state"] == "done")
        counts = client.get(f"/v1/batches/{batch}").json()["counts"]
    assert refused == 12 and counts["failed"] == 0


def from_addresses(app: FastAPI, *names: str) -> dict[str, int]:
    """Counts of a batch of pictures by URL, once it is done."""
    lines = "\n".join(f'{{"url": "https://photos.faunalens.test/{name}"}}' for name in names)
    with serving(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client:
        headers = {"Content-Type": "application/jsonl"}
        batch = client.post("/v1/batches?policy=sensitive", content=lines, headers=headers).json()["id"]
        until(lambda: client.get(f"/v1/batches/{batch}").json()["state"] == "done")
        counts: dict[str, int] = client.get(f"/v1/batches/{batch}").json()["counts"]
    return counts


def test_who_stalled_does_not_put_other_bytes_behind_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The photo at the address was exchanged between the two times that it was fetched."""
    finish, tries, ended, go_on = Claims.finish, list[str](), list[bool](), threading.Event()

    async def fetch(_: Fetcher, url: str, _flow: str) -> bytes:
        tries.append(url)
        if len(tries) > 1:
            return (SAMPLES / "tusks.jpg").read_bytes()
        assert await asyncio.to_thread(go_on.wait, 30)
        return (SAMPLES / "tusk-single.jpg").read_bytes()

    def finish_and_go_on(claims: Claims, claimed: Claimed, outcome: Outcome) -> bool:
        ended.append(finish(claims, claimed, outcome))
        go_on.set()
        if claimed.attempts > 1:
            until(lambda: len(ended) == 2)
        return ended[-1]

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    monkeypatch.setattr(Claims, "finish", finish_and_go_on)
    monkeypatch.setattr(Claims, "renew", lambda *_: None)
    app = create_app(Settings(
        batches="on", store=tmp_path, url_input="on", url_hosts=("photos.faunalens.test",), batch_lease_seconds=1,
        retention_hours=1, batch_threads=2,
    ))  # fmt: skip
    from_addresses(app, "a.jpg")
    assert ended == [True, False]
    (item,) = Reviews(open_database(None, tmp_path), 60).queue(Wanted(), 9)
    kept = Photos(tmp_path / "photos", None).read(item.result.batch_id, 0)
    assert hashlib.sha256(kept).hexdigest() == item.fields["image"]["sha256"]


def test_nothing_is_removed_of_a_picture_of_which_nothing_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an object store each removal is a request."""
    removed, tries = list[str](), list[str]()

    async def fetch(_: Fetcher, url: str, _flow: str) -> bytes:
        tries.append(url)
        if url.endswith("b.jpg") and tries.count(url) == 1:
            raise FaunalensError(ErrorCode.URL_UNREACHABLE, "Not now.")
        return (SAMPLES / "bananas.jpg").read_bytes()

    def remove(_: Folder, __: str, names: Sequence[str]) -> None:
        removed.extend(names)

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    monkeypatch.setattr(Folder, "remove", remove)
    monkeypatch.setattr("service.bulk.runner._AGAIN_SECONDS", 0.0)
    app = create_app(Settings(batches="on", store=tmp_path, url_input="on", url_hosts=("photos.faunalens.test",)))
    assert from_addresses(app, "a.jpg", "b.jpg")["clear"] == 2
    assert removed == ["0000001"], "what an earlier try may have left goes"


@pytest.fixture
def one_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Runner, Database, list[float]]]:
    """A runner without threads, the batch of one picture whose address does not answer, and the time."""
    moment, database = [1e6], open_database(None, tmp_path)
    monkeypatch.setattr("service.store.claims.now", lambda: moment[0])

    def fetch(_: str) -> bytes:
        raise FaunalensError(ErrorCode.URL_UNREACHABLE, "Not now.")

    metrics = Metrics(SimpleNamespace())  # type: ignore[arg-type]
    around = Surroundings(lambda: None, lambda: False, fetch, metrics, Tallies())
    runner = Runner(Claims(database, 60), Photos(tmp_path / "photos", None), around, 0, 0.0)
    runner._aside = SimpleNamespace()  # type: ignore[assignment]
    Batches(database).add(NewBatch("", "default", id="b" * 32), [Entry("a.jpg", url="https://a.faunalens.test/")])
    yield runner, database, moment
    database.close()


def codes(database: Database) -> list[str]:
    return [result.fields["error"]["code"] for result in page(database, "b" * 32, 0, 9)]


def test_an_address_is_tried_four_times_with_growing_pauses(
    one_address: tuple[Runner, Database, list[float]],
) -> None:
    runner, database, moment = one_address
    for pause in (5, 10, 20):
        assert runner._one() and codes(database) == []
        moment[0] += pause - 0.5
        assert not runner._one()
        moment[0] += 1
    assert runner._one() and codes(database) == ["url_unreachable"] and runner.in_hand == ()


@pytest.mark.parametrize(("before", "code"), [(7, "url_unreachable"), (8, "internal_error")])
def test_a_picture_that_was_taken_eight_times_in_vain_is_not_tried_again(
    before: int, code: str, one_address: tuple[Runner, Database, list[float]]
) -> None:
    """It must be what stops the service."""
    runner, database, _ = one_address
    with database.writing() as session:
        session.execute(text("UPDATE items SET attempts = :before"), {"before": before})
    assert runner._one() and codes(database) == [code]


def test_a_picture_whose_policy_is_gone_fails_as_that(
    one_address: tuple[Runner, Database, list[float]], detector: Detector
) -> None:
    """After a reload or a restart with another file of policies."""
    runner, database, _ = one_address
    leaves = (SAMPLES / "leaves.jpg").read_bytes()
    runner._aside, runner._around = detector, replace(runner._around, fetch=lambda _: leaves)
    with database.writing() as session:
        session.execute(text("UPDATE batches SET policy = 'of_last_year'"))
    assert runner._one() and codes(database) == ["unknown_policy"]
