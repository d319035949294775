"""Bulk jobs come in, over real HTTP."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from service.answer import Answer
from service.detector import Detector
from service.errors import ErrorCode, FaunalensError
from service.keys.keystore import KeyStore
from tests.live import until
from tests.service.api.batches import (
    CALM,
    HOST,
    PICTURES,
    as_files,
    as_manifest,
    as_packed_tar,
    as_tar,
    as_zip,
    ended,
    post,
    problem,
    results,
)


@pytest.mark.parametrize("shape", [as_files, as_zip, as_tar, as_packed_tar])
def test_many_pictures_get_the_answers_of_one(http: httpx.Client, shape: Any, detector: Detector) -> None:
    batch = post(http, shape(list(PICTURES)), policy="sensitive", source="test")
    status = ended(http, batch)
    assert (status["total"], status["finished"], status["policy"], status["source"]) == (3, 3, "sensitive", "test")
    assert status["finished_at"] and status["eta_seconds"] is None and sum(status["counts"].values()) == 3
    found = {record["file"]: record for record in results(http, batch)}
    for name, data in PICTURES.items():
        wanted = detector.answer(data, batch, detector.policy("sensitive"))
        assert found[name]["scores"] == wanted.scores and found[name]["verdict"] == wanted.verdict
        assert found[name]["request_id"] == batch == found[name]["batch_id"]
        assert Answer.model_validate(found[name]).image == wanted.image


def test_names_in_any_script(http: httpx.Client) -> None:
    names, picture = ["象牙.jpg", "слон.jpg", "a\\b.jpg"], PICTURES["leaves.jpg"]
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + picture + b"\r\n"
        for name in names
    ]
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    batch = http.post("/v1/batches", content=b"".join(parts) + b"--b--\r\n", headers=headers).json()["id"]
    ended(http, batch)
    assert [one["file"] for one in sorted(results(http, batch), key=lambda one: int(one["position"]))] == names


def test_a_bad_file_spoils_no_other(http: httpx.Client) -> None:
    files = [
        ("file", ("a.txt", b"no picture")), ("file", ("b.jpg", PICTURES["bananas.jpg"])), ("file", ("c.jpg", b"")),
        ("file", ("d.jpg", b"\xff\xd8\xff" + bytes(300_000))), ("note", (None, "a field, not a file")),
    ]  # fmt: skip
    batch = post(http, {"files": files})
    assert ended(http, batch)["counts"]["failed"] == 3
    found = {record["file"]: record for record in results(http, batch)}
    codes = {name: record["error"]["code"] for name, record in found.items() if "error" in record}
    assert codes == {"a.txt": "unsupported_format", "c.jpg": "empty_image", "d.jpg": "too_many_bytes"}
    assert all(found[name]["error"]["request_id"] == batch for name in codes)
    assert found["b.jpg"]["verdict"] == "clear"


def test_files_are_of_the_listing_that_the_batch_names(http: httpx.Client) -> None:
    batch = post(http, as_files(["bananas.jpg", "leaves.jpg"]), listing_id="L-9", **CALM)
    ended(http, batch)
    assert [record["listing_id"] for record in results(http, batch)] == ["L-9", "L-9"]


def test_a_manifest_keeps_listing_ids(http: httpx.Client, batch_app: FastAPI) -> None:
    batch = post(
        http,
        as_manifest(
            {"url": f"https://{HOST}/a.jpg?token=secret", "listing_id": "L-1"},
            {"source-ref": f"https://{HOST}/b.jpg", "extra": 1},
            {"url": "https://forbidden.test/c.jpg", "listing_id": 3},
        ),
        **CALM,
    )
    ended(http, batch)
    found = sorted(results(http, batch), key=lambda record: record["position"])
    assert [(record["listing_id"], record["file"]) for record in found] == [
        ("L-1", "L-1"), (None, "line-2"), ("3", "3"),
    ]  # fmt: skip
    assert [record.get("verdict") for record in found] == ["priority", "priority", None]
    assert found[2]["error"]["code"] == "url_not_allowed"
    assert "secret" not in json.dumps(found)
    kept = batch_app.state.faunalens.bulk.photos.read(batch, 0)
    assert kept == PICTURES["tusk-single.jpg"], "kept for review"


def test_an_address_that_fails_for_now_is_asked_again(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.bulk.runner._AGAIN_SECONDS", 0.05)
    batch = post(http, as_manifest({"url": f"https://{HOST}/late.jpg"}))
    assert ended(http, batch)["counts"]["failed"] == 0


def test_the_quota_counts_pictures_and_a_refused_batch_leaves_nothing(
    http: httpx.Client, batch_app: FastAPI, batch_keys: tuple[KeyStore, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    header, folder = {"X-API-Key": batch_keys[1]["small"]}, batch_app.state.faunalens.bulk.photos.place.root
    before = {path.name for path in folder.iterdir()}
    assert problem(http.post("/v1/batches", headers=header, **as_files(list(PICTURES)))) == (429, "quota_exceeded")
    assert {path.name for path in folder.iterdir()} == before
    assert http.get("/v1/batches", headers=header).json()["batches"] == []

    def broken(*_: object) -> None:
        raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, "The store of batches cannot be used now; try again shortly.")

    with monkeypatch.context() as patch:
        patch.setattr(batch_app.state.faunalens.bulk.batches, "add", broken)
        two = as_files(["leaves.jpg", "bananas.jpg"])
        assert problem(http.post("/v1/batches", headers=header, **two)) == (503, "store_unavailable")
    assert http.post("/v1/batches", headers=header, **as_files(["leaves.jpg", "bananas.jpg"])).status_code == 202
    assert problem(http.post("/v1/batches", headers=header, **as_files(["leaves.jpg"]))) == (429, "quota_exceeded")
    unread = {**header, "Content-Type": "application/zip"}
    assert problem(http.post("/v1/batches", headers=unread, content=b"no zip")) == (429, "quota_exceeded")


@pytest.mark.parametrize(
    ("kind", "content", "wanted"),
    [
        ("image/jpeg", b"x", (415, "unsupported_content_type")),
        ("application/zip", b"x", (422, "corrupt_archive")),
        ("application/zip", as_zip([])["content"], (422, "no_image")),
        ("application/x-tar", bytes(100), (422, "corrupt_archive")),
        ("application/gzip", b"\x1f\x8b", (422, "corrupt_archive")),
        ("application/zip", bytes(2_000_001), (413, "too_many_bytes")),
        ("application/jsonl", b'{"url": "https://a.b/"}\n{', (400, "malformed_body")),
        ("application/jsonl", b'{"url": "https://a.b/"}\n' * 21, (413, "too_many_files")),
        ("application/jsonl", b"\n\n", (422, "no_image")),
        ("application/jsonl", b"x" * 70_000, (400, "malformed_body")),
        ("multipart/form-data", b"x", (400, "malformed_body")),
        ("multipart/form-data; boundary=b", b"x", (400, "malformed_body")),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: x", (400, "malformed_body")),
        ("multipart/form-data; boundary=b", b"--b\r\nX: " + b"x" * 9000, (400, "malformed_body")),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b--\r\n',
         (422, "no_image")),
        ("multipart/form-data; boundary=b",
         b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + bytes(65_537) + b"\r\n--b--\r\n",
         (400, "malformed_body")),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * 17,
         (400, "malformed_body")),
    ],
)  # fmt: skip
def test_bodies_that_are_refused(
    kind: str, content: bytes, wanted: tuple[int, str], http: httpx.Client, batch_app: FastAPI
) -> None:
    folder = batch_app.state.faunalens.bulk.photos.place.root
    before = {path.name for path in folder.iterdir()}
    assert problem(http.post("/v1/batches", content=content, headers={"Content-Type": kind})) == wanted
    assert {path.name for path in folder.iterdir()} <= before
    assert batch_app.state.faunalens.uploads.taken == 0


def test_a_tar_may_be_called_packed_and_nothing_else(http: httpx.Client) -> None:
    packed = {"Content-Encoding": "gzip"}
    tar = as_packed_tar(["leaves.jpg"])["content"]
    for kind in ("application/x-tar", "application/gzip"):
        post(http, {"content": tar, "headers": {**packed, "Content-Type": kind}})
    for kind in ("application/zip", "application/jsonl", "multipart/form-data; boundary=b"):
        refused = http.post("/v1/batches", content=tar, headers={**packed, "Content-Type": kind})
        assert problem(refused) == (415, "unsupported_content_type")
        assert refused.json()["error"]["details"] == {"content_encoding": "gzip"}


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"policy": "unheard-of"}, "unknown_policy"),
        ({"webhook": "https://elsewhere.test/"}, "webhook_not_allowed"),
        ({"webhook": "http://hooks.faunalens.test/"}, "webhook_not_allowed"),
        ({"source": "x" * 300}, "invalid_parameter"),
    ],
)
def test_parameters_that_are_refused(params: dict[str, str], wanted: str, http: httpx.Client) -> None:
    assert problem(http.post("/v1/batches", params=params, **as_files(["leaves.jpg"]))) == (422, wanted)


def test_a_client_that_leaves_leaves_nothing(http: httpx.Client, batch_app: FastAPI) -> None:
    folder = batch_app.state.faunalens.bulk.photos.place.root
    before = {path.name for path in folder.iterdir()}

    request = http.build_request("POST", "/v1/batches", **as_files(list(PICTURES)))

    def half() -> Iterator[bytes]:
        yield request.read()[:-1000]
        until(lambda: {path.name for path in folder.iterdir()} - before)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        http.post("/v1/batches", content=half(), headers={"Content-Type": request.headers["Content-Type"]})
    until(lambda: batch_app.state.faunalens.uploads.taken == 0)
    assert {path.name for path in folder.iterdir()} <= before


@pytest.mark.parametrize("line", [b"\n", b" \n", b'{"url": "https://a.test/"}\n'])
def test_a_manifest_is_refused_by_the_number_of_its_lines(line: bytes, http: httpx.Client) -> None:
    headers = {"Content-Type": "application/jsonl"}
    assert problem(http.post("/v1/batches", content=line * 1_001, headers=headers)) == (413, "too_many_files")


def test_names_and_urls_are_not_logged(http: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        batch = post(http, {"files": [("file", ("private-name.jpg", PICTURES["leaves.jpg"]))]})
        post(http, as_manifest({"url": f"https://{HOST}/private-path.jpg"}))
        ended(http, batch)
    records = [record for record in caplog.records if record.name.startswith("faunalens")]
    assert records and not any("private" in record.getMessage() for record in records)


def test_photos_that_can_be_neither_stored_nor_removed_are_said_to_be_away(
    http: httpx.Client, batch_app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OSError(5, "the object store cannot be used")

    place = batch_app.state.faunalens.bulk.photos.place
    monkeypatch.setattr(place, "put", away)
    monkeypatch.setattr(place, "remove_batch", away)
    assert problem(http.post("/v1/batches", **as_files(["leaves.jpg"]))) == (503, "store_unavailable")
