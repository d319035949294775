"""A model that is loaded anew while pictures of batches are at work."""

import io
import threading
import weakref
from pathlib import Path

import httpx
import pytest
from PIL import Image

from service.api.app import create_app
from service.settings import Settings
from service.store.photos import Photos
from tests.live import serving, until


def test_a_picture_that_was_taken_before_a_reload_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, taken, go_on = Photos.read, threading.Event(), threading.Event()

    def wait(photos: Photos, batch_id: str, position: int) -> bytes:
        taken.set()
        assert go_on.wait(60)
        return read(photos, batch_id, position)

    monkeypatch.setattr(Photos, "read", wait)
    app = create_app(Settings(batches="on", store=tmp_path, batch_threads=2))
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 180, 150)).save(picture, "PNG")
    with serving(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client:
        files = [("file", ("a.png", picture.getvalue(), "image/png"))]
        batch = client.post("/v1/batches", files=files).json()["id"]
        assert taken.wait(60)
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
