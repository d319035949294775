"""Real answers, held against the OpenAPI document from which clients are generated."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from service.api.app import create_app
from service.detector import Detector
from service.settings import Settings
from service.store.tables import Delivery
from tests.conftest import SAMPLES
from tests.live import ready, until
from tests.review_queue import fill

JPEG = {"Content-Type": "image/jpeg"}
MISSING = "0" * 31 + "1"


class Described:
    """A service whose answers are looked up in its document; ``seen``: what was answered, and with which status."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.document: dict[str, Any] = client.get("/openapi.json").json()
        self.seen: set[tuple[str, str, int]] = set()
        for shape in self.document["components"]["schemas"].values():
            if "properties" in shape:
                # a field that the document does not tell is wrong too
                shape["additionalProperties"] = False

    def ask(self, method: str, path: str, status: int, /, **request: Any) -> httpx.Response:
        """The answer, which is as the document has it."""
        response = self.client.request(method, path, **request)
        assert response.status_code == status, response.text
        template = next(one for one in sorted(self.document["paths"], key=_fixed) if _pattern(one).fullmatch(path))
        answer = self.document["paths"][template][method.lower()]["responses"][str(status)]
        for name, header in answer["headers"].items():
            if header.get("required"):
                self.check(header["schema"], _number(response.headers[name]))
        assert response.headers["X-Request-ID"]
        if "content" in answer:
            self._check_body(answer["content"], response)
        else:
            assert not response.content
        self.seen.add((method, template, status))
        return response

    def check(self, shape: dict[str, Any], value: Any) -> None:
        """Fails unless ``value`` is of ``shape``."""
        whole = {**shape, "components": self.document["components"]}
        jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(value)

    def _check_body(self, content: dict[str, Any], response: httpx.Response) -> None:
        kind = response.headers["Content-Type"].partition(";")[0]
        shape = content[kind]["schema"]
        if kind == "application/json":
            self.check(shape, response.json())
        for line in response.text.splitlines() if "contentSchema" in shape else ():
            self.check(shape["contentSchema"], json.loads(line))


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/:]+", template) + r"(\?.*)?")


def _fixed(template: str) -> int:
    return template.count("{")


def _number(value: str) -> int | str:
    return int(value) if value.isdigit() else value


@pytest.fixture
def described(tmp_path: Path, detector: Detector) -> Iterator[Described]:
    fill(tmp_path, detector, 5)
    settings = Settings(
        batches="on", store=tmp_path, retention_hours=1, webhook_hosts=("hooks.faunalens.test",),
        webhook_secret="whsec_" + "c2VjcmV0" * 4, notice_languages=("en", "fr"), baseline="2026-01-01/2026-01-31",
    )  # fmt: skip
    with ready(create_app(settings)) as client:
        yield Described(client)


def test_information_and_detection(described: Described, tusk: bytes) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/v1/model", "/v1/categories?lang=pt-BR", "/v1/notices/ivory"):
        described.ask("GET", path, 200)
    described.ask("GET", "/v1/categories?lang=xx", 422)
    unknown = [described.ask("GET", "/v1/notices/nothing", 422)]
    unknown.append(described.ask("POST", "/v1/heatmap?category=nothing", 422, content=tusk, headers=JPEG))
    assert all("ivory" in response.json()["error"]["details"]["categories"] for response in unknown)
    described.ask("POST", "/v1/detect", 200, content=tusk, headers=JPEG)
    described.ask("POST", "/v1/detect?heatmap=true&policy=sensitive", 200, content=tusk, headers=JPEG)
    described.ask("POST", "/v1/detect", 200, files=[("f", ("a.jpg", tusk)), ("f", ("b.jpg", b"x"))])
    described.ask("POST", "/v1/detect", 415, content=b"x", headers=JPEG)
    described.ask("POST", "/v1/heatmap", 200, content=tusk, headers=JPEG)
    described.ask("POST", "/v1/model:reload", 200)


def test_batches(described: Described, tusk: bytes) -> None:
    files = [("f", ("a.jpg", tusk)), ("f", ("b.jpg", b"x")), ("f", ("c.jpg", (SAMPLES / "leaves.jpg").read_bytes()))]
    made = described.ask("POST", "/v1/batches", 202, files=files).json()["id"]
    until(lambda: described.ask("GET", f"/v1/batches/{made}", 200).json()["state"] == "done")
    described.ask("GET", "/v1/batches?limit=1", 200)
    described.ask("GET", f"/v1/batches/{made}/results", 200)
    described.ask("GET", f"/v1/batches/{made}/results?format=csv", 200)
    described.ask("GET", f"/v1/batches/{made}/events", 200)
    described.ask("POST", f"/v1/batches/{made}:cancel", 409)
    described.ask("GET", f"/v1/batches/{MISSING}", 404)


def test_review(described: Described) -> None:
    queue = described.ask("GET", "/v1/review/queue?state=open", 200).json()["items"]
    described.ask("POST", "/v1/review/claims", 200, json={"limit": 2})
    described.ask("DELETE", "/v1/review/claims", 204)
    first, second, third, *_ = (item["item"] for item in queue)
    described.ask("POST", f"/v1/review/items/{first}/decision?lang=fr", 200, json={"decision": "confirm"})
    described.ask("POST", f"/v1/review/items/{first}/decision", 409, json={"decision": "reject"})
    many = {"items": [second, third, 99_999], "decision": "escalate"}
    assert len(described.ask("POST", "/v1/review/decisions", 200, json=many).json()["failures"]) == 1
    described.ask("POST", "/v1/review/undo", 200, json={})
    for path in ("", "/photo?size=small", "/heatmap", "/similar"):
        described.ask("GET", f"/v1/review/items/{first}{path}", 200)
    described.ask("GET", "/v1/review/items/99999", 404)
    described.ask("PUT", "/v1/review/me", 200, json={"blur": False})
    for path in ("me", "summary", "moderators"):
        described.ask("GET", f"/v1/review/{path}", 200)
    described.ask("GET", "/v1/decisions?lang=sw", 200)
    for form in ("json", "csv"):
        described.ask("GET", f"/v1/stats?format={form}", 200)


def test_webhooks(described: Described, tusk: bytes) -> None:
    target = {"webhook": "https://hooks.faunalens.test/here"}
    made = described.ask("POST", "/v1/batches", 202, files=[("f", ("a.jpg", tusk))], params=target).json()["id"]
    until(lambda: described.client.get(f"/v1/batches/{made}").json()["state"] == "done")
    item = described.client.get(f"/v1/review/queue?batch_id={made}").json()["items"][0]["item"]
    for kind in ("confirm", "undo"):
        described.ask("POST", f"/v1/review/items/{item}/decision", 200, json={"decision": kind})
    database = described.client.app.state.faunalens.bulk.database
    with database.reading() as session:
        told = {row.event: json.loads(row.body) for row in session.scalars(select(Delivery))}
    assert told.keys() == described.document["webhooks"].keys()
    for event, body in told.items():
        request = described.document["webhooks"][event]["post"]["requestBody"]
        described.check(request["content"]["application/json"]["schema"], body)


def test_what_may_be_left_out_has_no_default(described: Described) -> None:
    for shape in described.document["components"]["schemas"].values():
        for field, kind in shape.get("properties", {}).items():
            assert kind.get("default", "") is not None, field


def test_headers_that_a_request_may_carry_are_told(described: Described) -> None:
    for path in ("detect", "heatmap"):
        names = [one["name"] for one in described.document["paths"][f"/v1/{path}"]["post"]["parameters"]]
        assert "X-Request-Deadline-Ms" in names and len(names) > 1


def test_every_address_says_what_may_befall_it(described: Described) -> None:
    for path, methods in described.document["paths"].items():
        for operation in methods.values():
            answers = operation["responses"]
            assert "internal_error" in answers["500"]["description"], path
            assert path == "/livez" or "overloaded" in answers["503"]["description"], path
            for status, answer in answers.items():
                assert "X-Request-ID" in answer["headers"], path
                assert ("Retry-After" in answer["headers"]) == (status in ("429", "503")), path
                assert all(content.get("schema") for content in answer.get("content", {}).values()), path
