"""What is counted of a batch's pictures is what the store has of them."""

from pathlib import Path

import httpx
import pytest

from service.api.app import create_app
from service.errors import ErrorCode, FaunalensError
from service.outbound.fetch import Fetcher
from service.settings import Settings
from service.store.claims import Claimed, Claims, Outcome
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
