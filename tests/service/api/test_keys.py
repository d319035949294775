"""Keys over real HTTP: who gets in, what they may do, and how much."""

import logging
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from service.api import rules
from service.api.app import create_app
from service.keys.key import Scope
from service.keys.keystore import KeyStore
from service.settings import Settings
from tests.keyed import NOW, add_key, new_store
from tests.live import serving, until
from tests.service.api.test_observe import lines

JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> KeyStore:
    return new_store(tmp_path_factory.mktemp("keys") / "keys.db")


@pytest.fixture(scope="module")
def keys(store: KeyStore) -> dict[str, str]:
    """Key texts by name."""
    texts = {scope.value: add_key(store, scope, scope) for scope in Scope}
    texts["slow"] = add_key(store, "slow", Scope.DETECT, rate=0.001, burst=2)
    texts["small"] = add_key(store, "small", Scope.DETECT, quota=3)
    return texts


@pytest.fixture(scope="module")
def app(store: KeyStore, keys: dict[str, str]) -> FastAPI:
    assert keys
    return create_app(Settings(auth="on", keys=store.path, cors_origins="https://moderation.example, "))


@pytest.fixture(scope="module")
def http(app: FastAPI) -> Iterator[httpx.Client]:
    with serving(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client:
        yield client


def bearer(text: str) -> dict[str, str]:
    return {**JPEG, "Authorization": f"Bearer {text}"}


def test_probes_and_pages_are_open(http: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/docs", "/redoc", "/openapi.json", "/docs-assets/swagger-ui.css"):
        assert http.get(path).status_code == 200, path


def test_without_a_key_nothing_else_is(http: httpx.Client, app: FastAPI, keys: dict[str, str], tusk: bytes) -> None:
    closed = [(method, path) for path, methods in app.openapi()["paths"].items() for method in methods]
    for method, path in closed:
        responses = app.openapi()["paths"][path][method]["responses"]
        assert rules.is_open(path) or {"401", "403"} <= responses.keys(), (method, path)
    closed += [("get", "/v1/nowhere"), ("post", "/v1/detect/"), ("get", "/docs-assets"), ("get", "//v1/model")]
    wrong = keys["detect"][:-1] + ("A" if keys["detect"][-1] != "A" else "B")
    for headers in ({}, bearer(wrong), {"X-API-Key": "x"}, {"Authorization": f"Basic {keys['detect']}"}):
        for method, path in closed:
            if path in ("/livez", "/readyz"):
                continue
            reply = http.request(method.upper(), path, content=tusk if method == "post" else b"", headers=headers)
            assert reply.status_code == 401 and reply.json()["error"]["code"] == "unauthenticated", (method, path)
            assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_both_headers_work(http: httpx.Client, keys: dict[str, str], tusk: bytes) -> None:
    for headers in (
        bearer(keys["detect"]),
        {"X-API-Key": keys["detect"]},
        {"authorization": f"bearer {keys['detect']}"},
    ):
        reply = http.post("/v1/detect?policy=sensitive", content=tusk, headers={**JPEG, **headers})
        assert reply.status_code == 200 and reply.json()["verdict"] == "priority"


def test_scopes(http: httpx.Client, keys: dict[str, str], tusk: bytes) -> None:
    may = {"detect": (200, 200, 200, 403), "review": (403, 200, 200, 403), "admin": (403, 403, 200, 200)}
    for name, expected in may.items():
        headers = bearer(keys[name])
        replies = (
            http.post("/v1/detect", content=tusk, headers=headers),
            http.post("/v1/heatmap", content=tusk, headers=headers),
            http.get("/v1/model", headers=headers),
            http.get("/metrics", headers=headers),
        )
        assert tuple(reply.status_code for reply in replies) == expected, name
        assert all(reply.json()["error"]["code"] == "forbidden" for reply in replies if reply.status_code == 403)
    assert http.get("/v1/nowhere", headers=bearer(keys["detect"])).status_code == 403
    assert http.get("/v1/nowhere", headers=bearer(keys["admin"])).status_code == 404


def test_a_rate(http: httpx.Client, keys: dict[str, str], tusk: bytes) -> None:
    replies = [http.post("/v1/detect", content=tusk, headers=bearer(keys["slow"])) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[2].json()["error"]["code"] == "rate_limited"
    assert 900 <= int(replies[2].headers["Retry-After"]) <= 1000


def test_a_quota_counts_files_and_reaches_the_store(
    http: httpx.Client, keys: dict[str, str], store: KeyStore, app: FastAPI, tusk: bytes
) -> None:
    def send(count: int) -> httpx.Response:
        headers = {"Authorization": f"Bearer {keys['small']}"}
        return http.post("/v1/detect", files=[("f", (f"{i}.jpg", tusk)) for i in range(count)], headers=headers)

    assert send(2).status_code == 200
    replies = [send(2), send(1), send(1)]
    # a request over the quota is refused whole and costs nothing
    assert [reply.status_code for reply in replies] == [429, 200, 429]
    assert replies[0].json()["error"]["code"] == "quota_exceeded" and int(replies[0].headers["Retry-After"]) >= 1
    day, key_id = app.state.faunalens.access.allowances.day, keys["small"].split("_")[1]
    until(lambda: store.usage(day).get(key_id) == 3)


def test_revoked_keys_are_refused_within_seconds(http: httpx.Client, store: KeyStore) -> None:
    text = add_key(store, "short", Scope.DETECT)
    until(lambda: http.get("/v1/model", headers=bearer(text)).status_code == 200, 10)
    store.revoke(text.split("_")[1], NOW)
    until(lambda: http.get("/v1/model", headers=bearer(text)).status_code == 401)


def test_uses_are_logged_without_the_secret(
    http: httpx.Client, keys: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "faunalens"):
        http.get("/v1/model?secret=1", headers={**bearer(keys["review"]), "X-Request-ID": "audited-1"})
        http.get("/metrics", headers=bearer(keys["review"]))
        # written once the response is out
        until(lambda: len(lines(caplog)) == 2)
    key_id, logged = keys["review"][3:15], lines(caplog)
    used = {"request_id": "audited-1", "key": key_id, "method": "GET", "route": "/v1/model", "status": 200}
    assert logged[0].items() >= used.items()
    assert (logged[1]["route"], logged[1]["status"], logged[1]["code"]) == ("other", 403, "forbidden")
    assert f"key {key_id}: refused, it has not the scope admin" in caplog.text
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("faunalens")]
    everything = f"{ours} {logged}"
    assert keys["review"][16:] not in everything and "secret=1" not in everything


def test_the_page_tells_how_keys_are_sent(http: httpx.Client) -> None:
    schema = http.get("/openapi.json").json()
    assert schema["security"] == [{"bearer": []}, {"header": []}]
    assert schema["components"]["securitySchemes"]["header"]["name"] == "X-API-Key"
    assert schema["paths"]["/livez"]["get"]["security"] == []


def test_only_named_origins_may_call_from_a_browser(http: httpx.Client) -> None:
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-API-Key"}
    good = http.options("/v1/detect", headers={"Origin": "https://moderation.example", **asks})
    assert good.status_code == 200
    assert good.headers["Access-Control-Allow-Origin"] == "https://moderation.example"
    answer = http.get("/livez", headers={"Origin": "https://moderation.example"})
    assert {"Location", "Retry-After", "X-Request-ID"} <= set(
        answer.headers["Access-Control-Expose-Headers"].split(", ")
    )
    for method in ("PUT", "DELETE"):
        asks = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "X-Review-Session"}
        asked = http.options("/v1/review/me", headers={"Origin": "https://moderation.example", **asks})
        assert asked.status_code == 200
    for other in ("https://elsewhere.example", ""):
        bad = http.options("/v1/detect", headers={"Origin": other, **asks})
        assert "Access-Control-Allow-Origin" not in bad.headers, other
