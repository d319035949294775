import base64
import hashlib
import re
from urllib.parse import urljoin

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.api.headers import SECURITY
from service.settings import Settings


def test_every_response_is_careful(client: TestClient) -> None:
    for response in (client.get("/livez"), client.get("/nowhere"), client.post("/v1/detect", content=b"")):
        assert {name: response.headers[name] for name in SECURITY} == SECURITY
        assert "access-control-allow-origin" not in response.headers


def test_nobody_is_sent_where_the_host_header_says(client: TestClient) -> None:
    for path in ("/v1/detect/", "/v1/model/", "/livez/", "/docs/", "/docs-assets"):
        response = client.get(path, headers={"Host": "evil.test"}, follow_redirects=False)
        assert response.status_code == 404 and "location" not in response.headers, path


def test_unexpected_errors_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a page of another origin is shown them; those of the middleware itself are careful at least."""
    app: FastAPI = create_app(Settings(cors_origins="https://moderation.example"))

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError

    client = TestClient(app, raise_server_exceptions=False, headers={"Origin": "https://moderation.example"})
    response = client.get("/boom")
    assert response.status_code == 500 and {name: response.headers[name] for name in SECURITY} == SECURITY
    assert response.headers["access-control-allow-origin"] == "https://moderation.example"
    monkeypatch.setattr("service.api.observe.request_id_of", None)
    outside = client.get("/livez")
    assert outside.status_code == 500 and {name: outside.headers[name] for name in SECURITY} == SECURITY
    assert outside.json()["error"]["code"] == "internal_error"


def test_the_pages_run_their_own_scripts_and_no_others(client: TestClient) -> None:
    for path in ("/docs", "/redoc"):
        page = client.get(path)
        policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
        assert "unsafe" not in policy["script-src"] and policy["default-src"] == "'none'"
        assert "://" not in page.headers["Content-Security-Policy"]
        for inline in re.findall(r"<script>(.+?)</script>", page.text, re.DOTALL):
            assert base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode() in policy["script-src"]
        loaded = re.findall(r'(?:src|href|spec-url)="([^"]+)"', page.text)
        assert len(loaded) >= 3
        for address in loaded:
            assert "//" not in address and client.get(urljoin(path, address)).status_code == 200
    assert len(client.get("/docs-assets/swagger-ui-bundle.js").content) > 500_000
