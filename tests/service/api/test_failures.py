import logging
from collections import Counter

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.errors import ErrorCode, FaunalensError
from service.settings import Settings


def test_an_unexpected_error_has_the_shape_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(Settings())

    @app.get("/boom/{name}")
    async def boom(name: str) -> None:
        raise RuntimeError("a secret")

    with TestClient(app, raise_server_exceptions=False) as client, caplog.at_level(logging.ERROR, "faunalens"):
        response = client.get("/boom/photo-of-ann.jpg", headers={"X-Request-ID": "r-9"})
    assert response.status_code == 500
    assert response.headers["X-Request-ID"] == response.json()["error"]["request_id"] == "r-9"
    assert response.json()["error"]["code"] == "internal_error"
    assert "secret" not in response.text
    assert "unexpected RuntimeError at /boom/{name}" in caplog.text and "ann" not in caplog.text


def failures(app: FastAPI) -> Counter[str]:
    """How often each code was counted."""
    samples = (one for metric in app.state.faunalens.metrics.registry.collect() for one in metric.samples)
    return Counter({one.labels["code"]: one.value for one in samples if one.name == "faunalens_failures_total"})


@pytest.mark.parametrize("code", ErrorCode, ids=lambda code: code.code)
def test_every_code_leaves_in_the_shape_and_is_counted_once(code: ErrorCode) -> None:
    app = create_app(Settings())

    @app.get("/refused")
    async def refused() -> None:
        raise FaunalensError(code, "No.", {"a": 1})

    before = failures(app)
    response = TestClient(app).get("/refused", headers={"X-Request-ID": "r-1"})
    assert response.status_code == code.status
    assert response.json() == {"error": {"code": code.code, "message": "No.", "request_id": "r-1", "details": {"a": 1}}}
    assert ("Retry-After" in response.headers) == (code.status in (429, 503))
    assert failures(app) == before + Counter({code.code: 1})
