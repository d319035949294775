import logging

import pytest
from fastapi.testclient import TestClient

from service.api.app import create_app
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
