"""What a browser sends for the page of another site to a service without keys, over real HTTP."""

from collections.abc import Iterator

import httpx
import pytest

from service.api.app import create_app
from service.settings import Settings
from tests.live import serving

JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    app = create_app(Settings(auth="off", cors_origins="https://moderation.example"))
    with serving(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client:
        yield client


@pytest.mark.parametrize("host", ["rebinds.example", "rebinds.example:80", "127.0.0.1.rebinds.example.", "A.example"])
def test_a_name_that_may_be_anybodys_is_refused(host: str, http: httpx.Client, tusk: bytes) -> None:
    for reply in (
        http.get("/v1/model", headers={"Host": host}),
        http.get("/metrics", headers={"Host": host}),
        http.post("/v1/detect", content=tusk, headers={**JPEG, "Host": host}),
    ):
        assert reply.status_code == 403 and reply.json()["error"]["code"] == "forbidden"
        assert reply.json()["error"]["details"] == {"header": "Host"}
    assert http.get("/livez", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["localhost:8000", "localhost.:8000", "127.0.0.1", "[::1]:8000", "faunalens", "x.localhost", "10.1.2.3"]
)
def test_what_nobody_else_can_own_is_taken(host: str, http: httpx.Client) -> None:
    assert http.get("/v1/model", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://elsewhere.example", "null", "http://127.0.0.1:1", "http://localhost", "http://["]
)
def test_pages_of_other_origins_change_nothing(origin: str, http: httpx.Client, tusk: bytes) -> None:
    for path in ("/v1/detect", "/v1/model:reload"):
        reply = http.post(path, content=tusk, headers={**JPEG, "Origin": origin})
        assert reply.status_code == 403 and reply.json()["error"]["details"] == {"header": "Origin"}
    assert http.get("/v1/model", headers={"Origin": origin}).status_code == 200


def test_own_pages_and_those_that_are_named_may(http: httpx.Client, tusk: bytes) -> None:
    for origin in (str(http.base_url).rstrip("/"), "https://moderation.example"):
        assert http.post("/v1/detect", content=tusk, headers={**JPEG, "Origin": origin}).status_code == 200


def test_where_every_page_may_call_every_page_may_change_something(tusk: bytes) -> None:
    with serving(create_app(Settings(auth="off", cors_origins="*"))) as (host, port):
        headers = {**JPEG, "Origin": "https://elsewhere.example"}
        reply = httpx.post(f"http://{host}:{port}/v1/detect", content=tusk, headers=headers)
        assert reply.status_code == 200 and reply.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("said", [{"auth": "off-and-exposed"}, {"auth": "off", "trusted_proxies": "127.0.0.1"}])
def test_who_says_that_others_may_reach_it_has_no_such_bounds(said: dict[str, str], tusk: bytes) -> None:
    app = create_app(Settings.model_validate(said))
    with serving(app) as (host, port):
        headers = {**JPEG, "Host": "faunalens.example", "Origin": "https://elsewhere.example"}
        answer = httpx.post(f"http://{host}:{port}/v1/detect", content=tusk, headers=headers, timeout=60)
        assert answer.status_code == 200
