"""What is counted of a batch's pictures is what the store has of them."""

import asyncio
import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from service.api.app import create_app
from service.errors import ErrorCode, FaunalensError
from service.outbound.fetch import Fetcher
from service.settings import Settings
from service.store.claims import Claimed, Claims, Outcome
from service.store.database import open_database
from service.store.photos import Photos
from service.store.places import Folder
from service.store.reviews import Reviews, Wanted
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
        metrics = client.get("/metrics").text
    assert refused == [0]
    assert 'faunalens_failures_total{code="unsupported_format"} 1.0' in metrics


def test_a_picture_does_not_fail_because_there_was_no_room_to_fetch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = 0

    async def fetch(_: Fetcher, url: str) -> bytes:
        nonlocal refused
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

    async def fetch(_: Fetcher, url: str) -> bytes:
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

    async def fetch(_: Fetcher, url: str) -> bytes:
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
