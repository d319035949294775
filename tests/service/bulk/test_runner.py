"""What is counted of a batch's pictures is what the store has of them."""

from pathlib import Path

import httpx
import pytest

from service.api.app import create_app
from service.errors import ErrorCode, FaunalensError
from service.settings import Settings
from service.store.claims import Claimed, Claims, Outcome
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
