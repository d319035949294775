import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.store.progress import Progress, Status
from tests.live import until
from tests.service.api.batches import as_files, ended, post

_OF_ONE_ANSWER = {"date", "x-request-id", "content-length"}


def kept(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in _OF_ONE_ANSWER}


@pytest.mark.parametrize(
    "path",
    ["/livez", "/readyz", "/metrics", "/docs", "/redoc", "/openapi.json", "/docs-assets/favicon.png", "/v1/model",
     "/v1/categories?lang=sw", "/v1/notices/ivory", "/v1/notices/nothing", "/v1/categories?lang=xx", "/nowhere", "/"],
)  # fmt: skip
def test_the_head_is_that_of_get(client: TestClient, path: str) -> None:
    head, whole = client.head(path), client.get(path)
    assert head.status_code == whole.status_code != 405
    assert kept(head) == kept(whole) and head.content == b"" != whole.content
    if path != "/metrics" and whole.is_success:
        assert head.headers["content-length"] == str(len(whole.content))


def test_addresses_without_get_take_no_head(client: TestClient) -> None:
    refused = client.head("/v1/detect")
    assert refused.status_code == 405 and refused.headers["allow"] == "POST"


def test_the_schema_does_not_change(client: TestClient) -> None:
    methods = {method for path in client.get("/openapi.json").json()["paths"].values() for method in path}
    assert methods == {"get", "post"}


def test_it_is_counted_as_head(client: TestClient) -> None:
    client.head("/v1/model")
    assert 'method="HEAD",route="/v1/model",status="200"' in client.get("/metrics").text


def test_a_connection_goes_on_and_no_stream_does(
    http: httpx.Client, batch_app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = post(http, as_files(["leaves.jpg"]))
    ended(http, batch)
    state = batch_app.state.faunalens
    look = Progress.look

    def running(progress: Progress) -> Status:
        found = look(progress)
        found.batch.state = "running"
        return found

    monkeypatch.setattr(Progress, "look", running)
    head = http.head(f"/v1/batches/{batch}/events")
    assert head.status_code == 200 and head.headers["content-type"].startswith("text/event-stream")
    until(lambda: state.watchers.taken == 0)
    assert http.head(f"/v1/batches/{batch}/results").headers["content-type"] == "application/jsonl"
    assert http.get("/v1/model").json()["name"] and http.head("/v1/batches/none").status_code == 404
