import re
from dataclasses import replace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.detector import Detector
from service.settings import Settings


def test_categories_in_every_language(client: TestClient, detector: Detector) -> None:
    names = set()
    for language in detector.catalog.languages:
        body = client.get("/v1/categories", params={"lang": language}).json()
        assert [entry["id"] for entry in body["categories"]] == list(detector.contract.ids)
        ivory = body["categories"][0]
        words = detector.catalog["ivory"].notice[language]
        assert (ivory["name"], ivory["english_name"]) == (words.name, "Ivory") and ivory["cites"]
        assert ivory["notice"] == {"why": words.why, "instead": detector.catalog.instead[language]}
        names.add(ivory["name"])
    assert len(names) >= 7
    response = client.get("/v1/categories?lang=tlh")
    assert response.status_code == 422 and response.json()["error"]["code"] == "unknown_language"


def test_model(client: TestClient, detector: Detector) -> None:
    body = client.get("/v1/model").json()
    assert body["sha256"] == detector.contract.sha256 and body["default_policy"] == "default"
    assert body["policies"]["core_only"]["thresholds"]["coral"] == {"review": None, "priority": None}
    assert body["preprocessing"]["size"] == detector.contract.preprocessing.size


def test_the_policy_that_counts_where_none_is_named(
    client: TestClient, app: FastAPI, tusk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = app.state.faunalens.detector
    levels = dict.fromkeys(detector.contract.ids, (0.25, 1.0)) | {"coral": (1.0, 2.0)}
    own = {**detector.policies, "own": replace(detector.policy(None), name="own", thresholds=levels)}
    monkeypatch.setattr(detector, "policies", own)
    monkeypatch.setattr(detector, "settings", detector.settings.model_copy(update={"policy": "own"}))
    body = client.get("/v1/model").json()
    thresholds = body["policies"]["own"]["thresholds"]
    assert body["default_policy"] == "own" and thresholds["ivory"] == {"review": 0.25, "priority": 1.0}
    assert thresholds["coral"] == {"review": 1.0, "priority": None}
    (finding,) = client.post("/v1/detect", content=tusk).json()["findings"]
    assert (finding["category"], finding["threshold"], finding["verdict"]) == ("ivory", 0.25, "review")


def test_health(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_not_ready_without_a_model(tmp_path: object) -> None:
    failures: list[str] = []
    app = create_app(Settings.model_validate({"model": f"{tmp_path}/none.json"}), failures.append)
    with TestClient(app) as broken:
        while not failures:
            assert broken.get("/livez").status_code == 200
        response = broken.get("/readyz")
        assert response.status_code == 503 and response.headers["Retry-After"] == "1"
        assert response.json()["error"]["code"] == "not_ready" and str(tmp_path) not in response.text
        refused = broken.post("/v1/detect", content=b"x", headers={"Content-Type": "image/png"})
        assert refused.status_code == 503
        assert broken.get("/livez").status_code == 200
    assert "no model contract" in failures[0]


def test_metrics_count(client: TestClient, tusk: bytes) -> None:
    def value(pattern: str) -> float:
        found = re.search(rf"^{pattern} ([0-9.e+-]+)$", client.get("/metrics").text, re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    requests = r'faunalens_requests_total\{method="POST",route="/v1/detect",status="200"\}'
    findings = r'faunalens_findings_total\{category="ivory"\}'
    before = value(requests), value(findings), value(r'faunalens_stage_seconds_count\{stage="decode"\}')
    client.post("/v1/detect?policy=sensitive", content=tusk, headers={"Content-Type": "image/jpeg"})
    after = value(requests), value(findings), value(r'faunalens_stage_seconds_count\{stage="decode"\}')
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1]
    assert value("faunalens_queue") == 0


def test_one_error_shape_everywhere(client: TestClient) -> None:
    responses = [
        client.get("/nowhere"), client.get("/v1/detect"), client.post("/v1/detect", content=b""),
        client.get("/v1/categories?lang=x"), client.post("/v1/heatmap?category=" + "x" * 99, content=b"1"),
    ]  # fmt: skip
    for response in responses:
        error = response.json()["error"]
        assert set(error) == {"code", "message", "request_id", "details"}
        assert error["request_id"] == response.headers["X-Request-ID"]
    assert [response.status_code for response in responses] == [404, 405, 422, 422, 422]
    assert responses[1].headers["allow"] == "POST"


def test_request_ids_are_checked(client: TestClient) -> None:
    assert client.get("/livez", headers={"X-Request-ID": "ok-1.2_3"}).headers["X-Request-ID"] == "ok-1.2_3"
    made = client.get("/livez", headers={"X-Request-ID": "bad id; drop"})
    assert re.fullmatch("[0-9a-f]{32}", made.headers["X-Request-ID"])
