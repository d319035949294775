"""Pictures of batches are judged and counted once, whatever the store and the model do meanwhile."""

import io
import threading
import weakref
from pathlib import Path

import httpx
import pytest
from PIL import Image

from service.api.app import create_app
from service.errors import ErrorCode, FaunalensError
from service.settings import Settings
from service.store.claims import Claimed, Claims, Outcome
from service.store.photos import Photos
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


def test_a_picture_that_was_taken_before_a_reload_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, taken, go_on = Photos.read, threading.Event(), threading.Event()

    def wait(photos: Photos, batch_id: str, position: int) -> bytes:
        taken.set()
        assert go_on.wait(30)
        return read(photos, batch_id, position)

    monkeypatch.setattr(Photos, "read", wait)
    app = create_app(Settings(batches="on", store=tmp_path, batch_threads=2))
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 180, 150)).save(picture, "PNG")
    with serving(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client:
        files = [("file", ("a.png", picture.getvalue(), "image/png"))]
        batch = client.post("/v1/batches", files=files).json()["id"]
        assert taken.wait(30)
        state = app.state.faunalens
        runner = state.bulk._runner
        before = weakref.ref(runner._aside.decoders)
        assert client.post("/v1/model:reload").status_code == 200
        until(lambda: runner._live is state.detector)
        with runner._lock:
            go_on.set()
        until(lambda: client.get(f"/v1/batches/{batch}").json()["state"] == "done")
        assert client.get(f"/v1/batches/{batch}").json()["counts"]["clear"] == 1
        until(lambda: before() is None)
