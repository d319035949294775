"""Batches as tests send them and look at them."""

import gzip
import io
import json
import tarfile
import zipfile
from typing import Any

import httpx

from tests.conftest import SAMPLES
from tests.live import until

PICTURES = {name: (SAMPLES / name).read_bytes() for name in ("tusk-single.jpg", "bananas.jpg", "leaves.jpg")}
HOST = "pictures.faunalens.test"
CALM = {"policy": "sensitive"}


def as_files(names: list[str]) -> dict[str, Any]:
    """A form with these sample pictures."""
    return {"files": [("file", (name, PICTURES[name])) for name in names]}


def as_zip(names: list[str]) -> dict[str, Any]:
    """A zip of them."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, PICTURES[name])
    return {"content": stream.getvalue(), "headers": {"Content-Type": "application/zip"}}


def as_tar(names: list[str]) -> dict[str, Any]:
    """A tar of them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in names:
            archive.add(SAMPLES / name, name)
    return {"content": stream.getvalue(), "headers": {"Content-Type": "application/x-tar"}}


def as_packed_tar(names: list[str]) -> dict[str, Any]:
    """A tar of them, packed by gzip."""
    content = gzip.compress(as_tar(names)["content"])
    return {"content": content, "headers": {"Content-Type": "application/gzip"}}


def as_manifest(*lines: dict[str, Any]) -> dict[str, Any]:
    """A manifest of these lines."""
    content = "\n".join(json.dumps(line) for line in lines).encode()
    return {"content": content, "headers": {"Content-Type": "application/jsonl"}}


def post(http: httpx.Client, body: dict[str, Any], **params: str) -> str:
    """Start a batch; its id."""
    response = http.post("/v1/batches", params=params, **body)
    assert response.status_code == 202, response.text
    assert response.headers["Location"] == f"/v1/batches/{response.json()['id']}"
    return str(response.json()["id"])


def ended(http: httpx.Client, batch: str) -> dict[str, Any]:
    """The status of a batch once it has ended."""
    status: dict[str, Any] = {}

    def is_ended() -> bool:
        status.update(http.get(f"/v1/batches/{batch}").json())
        return status["state"] != "running"

    until(is_ended)
    return status


def results(http: httpx.Client, batch: str, **params: Any) -> list[dict[str, Any]]:
    """The results of a batch so far."""
    return [json.loads(line) for line in http.get(f"/v1/batches/{batch}/results", params=params).text.splitlines()]


def problem(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    assert response.headers["X-Request-ID"] == response.json()["error"]["request_id"]
    return response.status_code, response.json()["error"]["code"]
