"""The short way of a plain picture: what the common way would answer."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from service.api import fast_lane

CHANGING = ("request_id", "judged_at", "timing_ms", "cached")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """An entry for each request that took the short way."""
    taken: list[bool] = []
    detect = fast_lane.detect

    async def watch(request: Any) -> Any:
        taken.append(True)
        return await detect(request)

    monkeypatch.setattr(fast_lane, "detect", watch)
    return taken


@pytest.mark.parametrize(
    ("headers", "body"),
    [({"Content-Type": "image/jpeg"}, None), ({}, None), ({"Content-Type": "image/jpeg"}, b""),
     ({"Content-Type": "image/jpeg"}, b"no picture"), ({"Content-Type": "text/plain"}, b"x"),
     ({"Content-Type": "multipart/form-data; boundary=x"}, b"x"), ({"Content-Type": "application/json"}, b"{}")],
)  # fmt: skip
def test_both_ways_give_the_same(
    client: TestClient, tusk: bytes, headers: dict[str, str], body: bytes | None, short: list[bool]
) -> None:
    body = tusk if body is None else body
    answers = [client.post(f"/v1/detect{query}", content=body, headers=headers) for query in ("", "?heatmap=false")]
    assert short == [True]
    one, other = (answer.json() for answer in answers)
    for answer in (one, one.get("error", {}), other, other.get("error", {})):
        for name in CHANGING:
            answer.pop(name, None)
    assert (answers[0].status_code, one) == (answers[1].status_code, other)
    changing = ("x-request-id", "content-length")
    heads = [{name: value for name, value in answer.headers.items() if name not in changing} for answer in answers]
    assert heads[0] == heads[1]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/detect", 405), ("POST", "/v1/detect/", 404)])
def test_all_else_takes_the_common_way(
    client: TestClient, tusk: bytes, method: str, path: str, status: int, short: list[bool]
) -> None:
    assert client.request(method, path, content=tusk).status_code == status
    assert not short


def test_what_goes_wrong_is_told_and_logged(
    client: TestClient, tusk: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: Any) -> None:
        raise ValueError("in the lane")

    monkeypatch.setattr(fast_lane, "detect", broken)
    answer = client.post("/v1/detect", content=tusk)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "unexpected ValueError at /v1/detect" in caplog.text
