"""Bulk jobs over real HTTP."""

import csv
import gzip
import io
import json
import tarfile
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from service.answer import Answer
from service.api.app import create_app
from service.api.batches import WATCHERS
from service.detector import Detector
from service.errors import ErrorCode, FaunalensError
from service.keys import Scope, new_key
from service.keystore import KeyStore
from service.settings import Settings
from tests.conftest import SAMPLES
from tests.live import serving, until

NOW = "2026-01-01T00:00:00+00:00"
HOST = "pictures.faunalens.test"
PICTURES = {name: (SAMPLES / name).read_bytes() for name in ("tusk-single.jpg", "bananas.jpg", "leaves.jpg")}
SECRET = "whsec_" + "c2VjcmV0" * 4
CALM = {"policy": "sensitive"}


class Shelf:
    """Stands in for the network: pictures by URL; one that comes at the second try."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url.endswith("late.jpg") and self.asked.count(url) == 1:
            raise FaunalensError(ErrorCode.URL_UNREACHABLE, "The picture could not be fetched.", {"reason": "status"})
        if "forbidden" in url:
            raise FaunalensError(ErrorCode.URL_NOT_ALLOWED, "A picture may not be fetched from this address.")
        return PICTURES["tusk-single.jpg"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[KeyStore, dict[str, str]]:
    store, texts = KeyStore(tmp_path_factory.mktemp("keys") / "keys.db"), {}
    store.create_file()
    for name, scopes, quota in (
        ("one", {Scope.DETECT}, None), ("two", {Scope.DETECT}, None), ("small", {Scope.DETECT}, 2),
        ("moderator", {Scope.REVIEW}, None), ("admin", {Scope.ADMIN}, None),
    ):  # fmt: skip
        texts[name], key = new_key(name, frozenset(scopes), NOW, quota=quota)
        store.add(key)
    return store, texts


@pytest.fixture(scope="module")
def app(keys: tuple[KeyStore, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    settings = Settings(
        auth="on", keys=keys[0].path, batches="on", store=tmp_path_factory.mktemp("batches") / "store",
        retention_hours=1, max_bytes=300_000, batch_files=20, batch_bytes=2_000_000, url_input="on", url_hosts=(HOST,),
        webhook_hosts=("hooks.faunalens.test",), webhook_secret=SECRET,
    )  # fmt: skip
    made = create_app(settings)
    made.state.faunalens.fetcher = Shelf()
    return made


@pytest.fixture(scope="module")
def http(app: FastAPI, keys: tuple[KeyStore, dict[str, str]]) -> Iterator[httpx.Client]:
    with serving(app) as (host, port):
        headers = {"X-API-Key": keys[1]["one"]}
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=60, headers=headers) as client:
            yield client


def as_files(names: list[str]) -> dict[str, Any]:
    return {"files": [("file", (name, PICTURES[name])) for name in names]}


def as_zip(names: list[str]) -> dict[str, Any]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, PICTURES[name])
    return {"content": stream.getvalue(), "headers": {"Content-Type": "application/zip"}}


def as_tar(names: list[str]) -> dict[str, Any]:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in names:
            archive.add(SAMPLES / name, name)
    return {"content": stream.getvalue(), "headers": {"Content-Type": "application/x-tar"}}


def as_packed_tar(names: list[str]) -> dict[str, Any]:
    content = gzip.compress(as_tar(names)["content"])
    return {"content": content, "headers": {"Content-Type": "application/gzip"}}


def as_manifest(*lines: dict[str, Any]) -> dict[str, Any]:
    content = "\n".join(json.dumps(line) for line in lines).encode()
    return {"content": content, "headers": {"Content-Type": "application/jsonl"}}


def post(http: httpx.Client, body: dict[str, Any], **params: str) -> str:
    response = http.post("/v1/batches", params=params, **body)
    assert response.status_code == 202, response.text
    assert response.headers["Location"] == f"/v1/batches/{response.json()['id']}"
    return str(response.json()["id"])


def ended(http: httpx.Client, batch: str) -> dict[str, Any]:
    status: dict[str, Any] = {}

    def is_ended() -> bool:
        status.update(http.get(f"/v1/batches/{batch}").json())
        return status["state"] != "running"

    until(is_ended)
    return status


def results(http: httpx.Client, batch: str, **params: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in http.get(f"/v1/batches/{batch}/results", params=params).text.splitlines()]


def problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["X-Request-ID"] == response.json()["error"]["request_id"]
    return response.status_code, response.json()["error"]["code"]


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


def test_a_manifest_keeps_listing_ids(http: httpx.Client, app: FastAPI) -> None:
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
    kept = app.state.faunalens.bulk.photos.read(batch, 0)
    assert kept == PICTURES["tusk-single.jpg"], "kept for review"


def test_an_address_that_fails_for_now_is_asked_again(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.bulk.runner._AGAIN_SECONDS", 0.05)
    batch = post(http, as_manifest({"url": f"https://{HOST}/late.jpg"}))
    assert ended(http, batch)["counts"]["failed"] == 0


def test_results_by_cursor_and_as_csv(http: httpx.Client) -> None:
    batch = post(http, as_zip(list(PICTURES)), **CALM)
    ended(http, batch)
    everything = results(http, batch)
    assert [record["seq"] for record in everything] == [1, 2, 3]
    assert results(http, batch, cursor=1) == everything[1:] and results(http, batch, cursor=3) == []
    assert results(http, batch, limit=2) == everything[:2]
    text = http.get(f"/v1/batches/{batch}/results", params={"format": "csv"})
    assert text.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(text.text)))
    assert [row["verdict"] for row in rows] == [record["verdict"] for record in everything]
    assert [row["sha256"] for row in rows] == [record["image"]["sha256"] for record in everything]


def test_spreadsheets_take_no_name_for_a_formula(http: httpx.Client) -> None:
    batch = post(http, {"files": [("file", ('=HYPERLINK("x").jpg', PICTURES["leaves.jpg"]))]})
    ended(http, batch)
    (row,) = csv.DictReader(io.StringIO(http.get(f"/v1/batches/{batch}/results?format=csv").text))
    assert row["file"].startswith("'=HYPERLINK")


def test_events_tell_progress_and_the_end(http: httpx.Client) -> None:
    batch = post(http, as_files(list(PICTURES)))
    with http.stream("GET", f"/v1/batches/{batch}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in stream.iter_lines() if line]
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    bodies = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert names[-1] == "finished" and set(names[:-1]) <= {"progress"} and len(names) == len(bodies)
    assert bodies[-1]["state"] == "done" and bodies[-1]["finished"] == 3
    assert sorted(body["finished"] for body in bodies) == [body["finished"] for body in bodies]


def test_few_watch_at_a_time(http: httpx.Client, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    state, batch = app.state.faunalens, post(http, as_files(["leaves.jpg"]))
    ended(http, batch)
    until(lambda: state.watchers == 0)
    monkeypatch.setattr(state, "watchers", WATCHERS)
    assert problem(http.get(f"/v1/batches/{batch}/events")) == (503, "overloaded")
    monkeypatch.setattr(state, "watchers", WATCHERS - 1)
    assert "event: finished" in http.get(f"/v1/batches/{batch}/events").text
    until(lambda: state.watchers == WATCHERS - 1)


def test_photos_are_kept_with_findings_only(http: httpx.Client, app: FastAPI) -> None:
    bulk = app.state.faunalens.bulk
    batch = post(http, as_files(list(PICTURES)), **CALM)
    ended(http, batch)
    verdicts = {record["position"]: record["verdict"] for record in results(http, batch)}
    kept = {position for position, verdict in verdicts.items() if verdict != "clear"}
    until(lambda: {int(path.name) for path in (bulk.photos.place.root / batch).iterdir()} == kept)
    assert kept and len(kept) < 3


def test_cancel(http: httpx.Client, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.state.faunalens.bulk.claims, "take", lambda: None)
    batch = post(http, as_files(list(PICTURES)), webhook="https://hooks.faunalens.test/x")
    status = http.post(f"/v1/batches/{batch}:cancel").json()
    assert status["state"] == "cancelled" and status["counts"]["cancelled"] == 3
    assert problem(http.post(f"/v1/batches/{batch}:cancel")) == (409, "batch_ended")
    assert results(http, batch) == []
    folder = app.state.faunalens.bulk.photos.place.root / batch
    until(lambda: not any(folder.iterdir()))


def test_who_may_see_what(http: httpx.Client, keys: tuple[KeyStore, dict[str, str]]) -> None:
    texts = keys[1]
    batch = post(http, as_files(["leaves.jpg"]))
    ended(http, batch)

    def get(name: str, path: str) -> httpx.Response:
        return http.get(path, headers={"X-API-Key": texts[name]})

    for path in (f"/v1/batches/{batch}", f"/v1/batches/{batch}/results", f"/v1/batches/{batch}/events"):
        assert get("one", path).status_code == get("moderator", path).status_code == 200
        assert problem(get("two", path)) == (404, "unknown_batch")
        assert problem(get("admin", path)) == (403, "forbidden")
        assert http.get(path, headers={"X-API-Key": ""}).status_code == 401
    for name in ("two", "moderator"):
        refused = http.post(f"/v1/batches/{batch}:cancel", headers={"X-API-Key": texts[name]})
        assert problem(refused) == (404, "unknown_batch")
    listed = {name: {one["id"] for one in get(name, "/v1/batches").json()["batches"]} for name in ("two", "moderator")}
    assert batch not in listed["two"] and batch in listed["moderator"]
    body = as_files(["leaves.jpg"])
    assert problem(http.post("/v1/batches", headers={"X-API-Key": texts["moderator"]}, **body)) == (403, "forbidden")


def test_pages_of_batches(http: httpx.Client) -> None:
    made = [post(http, as_files(["leaves.jpg"])) for _ in range(3)]
    first = http.get("/v1/batches", params={"limit": 2}).json()
    assert [one["id"] for one in first["batches"]] == [made[2], made[1]]
    rest = http.get("/v1/batches", params={"limit": 2, "before": first["next_before"]}).json()
    assert rest["batches"][0]["id"] == made[0]


def test_the_quota_counts_pictures_and_a_refused_batch_leaves_nothing(
    http: httpx.Client, app: FastAPI, keys: tuple[KeyStore, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    header, folder = {"X-API-Key": keys[1]["small"]}, app.state.faunalens.bulk.photos.place.root
    before = {path.name for path in folder.iterdir()}
    assert problem(http.post("/v1/batches", headers=header, **as_files(list(PICTURES)))) == (429, "quota_exceeded")
    assert {path.name for path in folder.iterdir()} == before
    assert http.get("/v1/batches", headers=header).json()["batches"] == []

    def broken(*_: object) -> None:
        raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, "The store of batches cannot be used now; try again shortly.")

    with monkeypatch.context() as patch:
        patch.setattr(app.state.faunalens.bulk.batches, "add", broken)
        two = as_files(["leaves.jpg", "bananas.jpg"])
        assert problem(http.post("/v1/batches", headers=header, **two)) == (503, "store_unavailable")
    assert http.post("/v1/batches", headers=header, **as_files(["leaves.jpg", "bananas.jpg"])).status_code == 202
    assert problem(http.post("/v1/batches", headers=header, **as_files(["leaves.jpg"]))) == (429, "quota_exceeded")


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
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * 17,
         (400, "malformed_body")),
    ],
)  # fmt: skip
def test_bodies_that_are_refused(
    kind: str, content: bytes, wanted: tuple[int, str], http: httpx.Client, app: FastAPI
) -> None:
    folder = app.state.faunalens.bulk.photos.place.root
    before = {path.name for path in folder.iterdir()}
    assert problem(http.post("/v1/batches", content=content, headers={"Content-Type": kind})) == wanted
    assert {path.name for path in folder.iterdir()} <= before
    assert app.state.faunalens.uploads == 0


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


def test_a_client_that_leaves_leaves_nothing(http: httpx.Client, app: FastAPI) -> None:
    folder = app.state.faunalens.bulk.photos.place.root
    before = {path.name for path in folder.iterdir()}

    request = http.build_request("POST", "/v1/batches", **as_files(list(PICTURES)))

    def half() -> Iterator[bytes]:
        yield request.read()[:-1000]
        until(lambda: {path.name for path in folder.iterdir()} - before)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        http.post("/v1/batches", content=half(), headers={"Content-Type": request.headers["Content-Type"]})
    until(lambda: app.state.faunalens.uploads == 0)
    assert {path.name for path in folder.iterdir()} <= before


def test_names_and_urls_are_not_logged(http: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        batch = post(http, {"files": [("file", ("private-name.jpg", PICTURES["leaves.jpg"]))]})
        post(http, as_manifest({"url": f"https://{HOST}/private-path.jpg"}))
        ended(http, batch)
    records = [record for record in caplog.records if record.name.startswith("faunalens")]
    assert records and not any("private" in record.getMessage() for record in records)


def test_live_requests_go_first(http: httpx.Client, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the service has pictures of live requests, a batch waits; once a second one of its pictures goes on."""
    state = app.state.faunalens
    monkeypatch.setattr("service.bulk.runner._PATIENCE_SECONDS", 60)
    monkeypatch.setattr(type(state.workers), "pending", property(lambda _: 1))
    batch = post(http, as_files(list(PICTURES)))
    time.sleep(0.5)
    assert http.get(f"/v1/batches/{batch}").json()["counts"]["waiting"] == 3
    monkeypatch.undo()
    assert ended(http, batch)["finished"] == 3
