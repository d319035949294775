import logging
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.errors import ErrorCode, FaunalensError
from service.settings import Settings
from tests.live import ready

URL = "https://pictures.faunalens.test/a.jpg?token=secret"

LONG = "https://pictures.faunalens.test/a.jpg?signature=".ljust(2048, "s")


class Shelf:
    """Stands in for the network: pictures by URL."""

    def __init__(self, pictures: dict[str, bytes]) -> None:
        self.pictures = pictures
        self.flows = set[str]()

    async def fetch(self, url: str, flow: str, hold: Callable[[int], None]) -> bytes:
        self.flows.add(flow)
        if url not in self.pictures:
            raise FaunalensError(ErrorCode.URL_UNREACHABLE, "The picture could not be fetched.", {"reason": "status"})
        hold(len(self.pictures[url]))
        return self.pictures[url]


@pytest.fixture(scope="module")
def linked(tusk: bytes) -> Iterator[TestClient]:
    app = create_app(Settings(url_input="on", url_hosts=("pictures.faunalens.test",)))
    app.state.faunalens.fetcher = Shelf({URL: tusk, LONG: tusk, "https://text/": b"no picture"})
    with ready(app) as client:
        yield client


def test_a_linked_picture_gets_the_answer_of_its_bytes(linked: TestClient, tusk: bytes) -> None:
    by_url = linked.post("/v1/detect", json={"url": URL}).json()
    by_bytes = linked.post("/v1/detect", content=tusk, headers={"Content-Type": "image/jpeg"}).json()
    assert by_url["scores"] == by_bytes["scores"] and by_url["image"] == by_bytes["image"]
    assert linked.app.state.faunalens.fetcher.flows == {"testclient"}  # type: ignore[attr-defined]
    assert 'faunalens_stage_seconds_count{stage="fetch"} 1.0' in linked.get("/metrics").text


def test_content_is_decoded_like_any_bytes(linked: TestClient) -> None:
    response = linked.post("/v1/detect", json={"url": "https://text/"})
    assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_format")


def test_a_signed_address_is_taken_and_json_by_any_of_its_names(linked: TestClient) -> None:
    """Addresses in object stores are long, and what an address may have is for the fetcher to say."""
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    response = linked.post("/v1/detect", content=f'{{"url": "{LONG}"}}'.ljust(8192), headers=headers)
    assert response.status_code == 200


def test_what_is_fetched_counts_for_what_requests_may_hold_together(tusk: bytes) -> None:
    app = create_app(Settings(url_input="on", url_hosts=("pictures.faunalens.test",), max_held_bytes=len(tusk)))
    app.state.faunalens.fetcher = Shelf({URL: tusk})
    with ready(app) as client:
        response = client.post("/v1/detect", json={"url": URL})
        assert (response.status_code, response.json()["error"]["code"]) == (503, "overloaded"), "beside its own body"
        again = client.post("/v1/detect", content=tusk, headers={"Content-Type": "image/jpeg"})
        assert again.status_code == 200, "it is given back"


def test_failures_keep_the_shape(linked: TestClient) -> None:
    response = linked.post("/v1/detect", json={"url": "https://nowhere/"})
    assert (response.status_code, response.json()["error"]["code"]) == (502, "url_unreachable")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"https://a.b/"', b'{"url": 1}', b'{"url": "x", "y": 1}', b"\xff"])
def test_bodies_that_are_no_link(linked: TestClient, body: bytes) -> None:
    response = linked.post("/v1/detect", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "malformed_body")


def test_a_long_body_is_refused(linked: TestClient) -> None:
    response = linked.post("/v1/detect", json={"url": "https://a.b/" + "a" * 9000})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "too_many_bytes")


def test_urls_never_reach_logs_metrics_or_errors(linked: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # the test's own client
        bad = linked.post("/v1/detect", json={"url": URL + "x", "secret": "secret"})
        linked.post("/v1/detect", json={"url": URL})
    assert "faunalens.test" not in caplog.text and "secret" not in caplog.text
    assert "secret" not in bad.text and "faunalens.test" not in linked.get("/metrics").text


def test_off_by_default(client: TestClient) -> None:
    response = client.post("/v1/detect", json={"url": URL})
    assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_content_type")
