import logging
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.errors import ErrorCode, FaunalensError
from service.settings import Settings
from tests.live import ready, serving


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
    (logged,) = (one for one in caplog.records if one.exc_info)
    assert logged.__dict__["fields"] == {"request_id": "r-9"}


def test_the_line_of_a_request_that_failed_unexpectedly_has_its_code(caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(Settings())

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError

    with TestClient(app, raise_server_exceptions=False) as client, caplog.at_level(logging.INFO, "faunalens.request"):
        client.get("/boom")
    fields = [one.__dict__["fields"] for one in caplog.records if one.name == "faunalens.request"]
    assert [(one["status"], one["code"]) for one in fields] == [(500, "internal_error")]


def test_what_a_probe_is_told_is_no_refusal(tmp_path: Path) -> None:
    app = create_app(Settings(model=tmp_path / "none.json"))
    client = TestClient(app)
    assert client.get("/readyz").json()["error"]["code"] == "not_ready"
    assert failures(app)["not_ready"] == 0
    assert client.post("/v1/detect", content=b"x").json()["error"]["code"] == "not_ready"
    assert failures(app)["not_ready"] == 1


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


def test_allow_names_every_method_of_an_address(http: httpx.Client) -> None:
    allowed = {path: http.patch(path).headers["allow"] for path in ("/v1/batches", "/v1/model", "/v1/detect")}
    assert allowed == {"/v1/batches": "GET, HEAD, POST", "/v1/model": "GET, HEAD", "/v1/detect": "POST"}


def test_what_is_wrong_with_a_body_of_json_is_told(tmp_path: Path) -> None:
    bodies = [
        (b'{"limit": 1,}', "application/json", (400, "malformed_body")),
        (b"\x1f\x8b", "application/json", (400, "malformed_body")),
        (b'{"limit": 1}', "text/plain", (415, "unsupported_content_type")),
        (b'{"limit": 1}', "application/x-www-form-urlencoded", (415, "unsupported_content_type")),
        (b'{"limit": 1}', "", (415, "unsupported_content_type")),
        (b'{"limit": "many"}', "application/json", (422, "invalid_parameter")),
        (b"[]", "application/json; charset=utf-8", (422, "invalid_parameter")),
        (b"", "application/json", (422, "invalid_parameter")),
        (b"{}", "application/vnd.example+json", (200, "")),
    ]
    with ready(create_app(Settings(batches="on", store=tmp_path))) as client:
        schema = client.get("/openapi.json").json()["paths"]["/v1/review/claims"]["post"]["responses"]
        for body, kind, wanted in bodies:
            response = client.post("/v1/review/claims", content=body, headers={"Content-Type": kind} if kind else {})
            error = response.json().get("error", {})
            assert (response.status_code, error.get("code", "")) == wanted, (body, kind)
            assert not error or error["code"] in schema[str(response.status_code)]["description"]
        broken = client.post("/v1/review/claims", content=bodies[0][0], headers={"Content-Type": "application/json"})
    assert broken.json()["error"]["details"]["position"] == 12


def test_of_many_things_wrong_with_a_body_some_are_told(tmp_path: Path) -> None:
    with ready(create_app(Settings(batches="on", store=tmp_path))) as client:

        def details(fields: dict[str, int]) -> dict[str, Any]:
            found: dict[str, Any] = client.post("/v1/review/claims", json=fields).json()["error"]["details"]
            return found

        all_told = details({f"field-{number}": 1 for number in range(20)})
        assert [one["parameter"] for one in all_told["problems"]] == [f"body.field-{number}" for number in range(20)]
        assert "left_out" not in all_told
        many = details({f"{number:x}": 1 for number in range(6_000)})
        assert len(many["problems"]) == 20 and many["left_out"] == 5_980
        (long,) = details({"x" * 60_000: 1})["problems"]
        assert long == {"parameter": ("body." + "x" * 60_000)[:200], "problem": "Extra inputs are not permitted"}


def test_what_ends_a_body_of_json_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    app = create_app(Settings(batches="on", store=tmp_path, max_held_bytes=100_000, read_seconds=1))
    headers = {"Content-Type": "application/json"}
    with serving(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as http:
        monkeypatch.setattr("service.api.intake.MAX_JSON_BYTES", 200_000)
        full = http.post("/v1/review/claims", content=b"x" * 100_001, headers=headers)
        monkeypatch.undo()
        assert (full.status_code, full.json()["error"]["code"]) == (503, "overloaded") and "Retry-After" in full.headers

        def slow() -> Iterator[bytes]:
            yield b"{"
            time.sleep(3)

        late = http.post("/v1/review/claims", content=slow(), headers=headers)
        assert (late.status_code, late.json()["error"]["code"]) == (408, "request_timeout")
        for size, code in ((65_536, "invalid_parameter"), (65_537, "too_many_bytes")):
            words = b'{"source": "' + b"x" * (size - 14) + b'"}'
            assert http.post("/v1/review/claims", content=words, headers=headers).json()["error"]["code"] == code
