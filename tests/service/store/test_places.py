"""Photos in an S3 bucket: kept, sealed, purged, and a store that is away loses nothing."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.errors import ErrorCode, FaunalensError, StartError
from service.settings import Settings, load_settings
from service.store.photos import Photos
from service.store.places import Bucket
from tests.conftest import SAMPLES
from tests.live import until
from tests.s3 import VARIABLES, make_bucket, s3

BATCH, KEY = "b" * 32, bytes(range(32))
DATA = b"\xff\xd8 a photo " * 50


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with s3() as running:
        make_bucket(running, "kept-photos")  # buckets are shared by all servers of a process
        yield running


@pytest.fixture(autouse=True)
def _environment(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**VARIABLES, "AWS_ENDPOINT_URL": address}.items():
        monkeypatch.setenv(name, value)


def raised(work: object) -> ErrorCode:
    with pytest.raises(FaunalensError) as caught:
        work()  # type: ignore[operator]
    return caught.value.code


def test_photos_are_kept_sealed_and_removed() -> None:
    bucket = Bucket("s3://kept-photos/kept/here/")
    photos = Photos(bucket, KEY)
    for position in range(3):
        photos.write(BATCH, position, DATA)
    assert photos.read(BATCH, 2) == DATA and DATA not in bucket.get(BATCH, "0000002")
    assert Photos(Bucket("s3://kept-photos/other"), KEY).older_than(-60) == []
    assert raised(lambda: Photos(bucket, None).read(BATCH, 0)) is ErrorCode.STORE_UNAVAILABLE
    photos.delete(BATCH, 0, 1, 9)
    assert raised(lambda: photos.read(BATCH, 0)) is ErrorCode.PHOTO_UNAVAILABLE
    assert photos.older_than(3600) == [] and photos.older_than(-60) == [BATCH]
    photos.delete_batch(BATCH)
    photos.delete_batch(BATCH)
    assert photos.older_than(-60) == []


def test_a_bucket_is_empty_until_something_is_below_its_address() -> None:
    place, other = Bucket("s3://kept-photos/one"), Bucket("s3://kept-photos/other")
    place.put(BATCH, "0000000", DATA)
    assert other.is_empty() and not place.is_empty()
    place.remove_batch(BATCH)
    assert place.is_empty()


def test_what_cannot_work_is_told_at_the_start() -> None:
    for wrong in ("s3://nowhere/x", "s3://user:secret@kept-photos", "s3://"):
        with pytest.raises(StartError) as caught:
            Bucket(wrong)
        assert "secret" not in str(caught.value)
    with pytest.raises(StartError, match="photos must begin"):
        load_settings(photos="/var/photos")


def test_a_store_that_is_away_is_no_lost_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    photos = Photos(Bucket("s3://kept-photos/away"), None)

    def away(*_: object) -> bytes:
        raise OSError(5, "away")

    monkeypatch.setattr(Bucket, "get", away)
    monkeypatch.setattr(Bucket, "put", away)
    assert raised(lambda: photos.read(BATCH, 0)) is ErrorCode.STORE_UNAVAILABLE
    assert raised(lambda: photos.write(BATCH, 0, DATA)) is ErrorCode.STORE_UNAVAILABLE


def test_a_batch_by_way_of_the_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is away when the pictures' turn comes: they wait, without an attempt that counts, and are judged."""
    monkeypatch.setattr("service.bulk.runner._OURS", {ErrorCode.STORE_UNAVAILABLE: 0.1})
    real, refused = Bucket.get, []

    def flaky(self: Bucket, batch_id: str, name: str) -> bytes:
        if len(refused) < 20:
            refused.append(name)
            raise OSError(5, "away")
        return real(self, batch_id, name)

    monkeypatch.setattr(Bucket, "get", flaky)
    settings = Settings(
        batches="on", store=tmp_path / "store", photos="s3://kept-photos/batch", retention_hours=1,
        photo_key="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    )  # fmt: skip
    with TestClient(create_app(settings)) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        names = ("tusk-single.jpg", "bananas.jpg")
        files = [("file", (name, (SAMPLES / name).read_bytes())) for name in names]
        batch = client.post("/v1/batches?policy=sensitive", files=files).json()["id"]
        until(lambda: client.get(f"/v1/batches/{batch}").json()["state"] == "done")
        status = client.get(f"/v1/batches/{batch}").json()["counts"]
        assert status["failed"] == 0 and len(refused) == 20
        item = client.get("/v1/review/queue").json()["items"][0]
        assert item["photo"] and client.get(f"/v1/review/items/{item['item']}/photo").status_code == 200
        assert not (tmp_path / "store" / "photos").exists() and os.listdir(tmp_path / "store")
        kept = Bucket("s3://kept-photos/batch")
        until(lambda: len(list(kept._listed("batch/"))) == status["review"] + status["priority"])


def test_a_manifest_names_objects(tmp_path: Path) -> None:
    """As Amazon Rekognition's manifests do; only of the buckets that are listed."""
    for key, name in (("in/tusk.jpg", "tusk-single.jpg"), ("in/large.jpg", "tusks.jpg")):
        Bucket("s3://kept-photos").put("in", key.removeprefix("in/"), (SAMPLES / name).read_bytes())
    most = (SAMPLES / "tusk-single.jpg").stat().st_size
    assert (SAMPLES / "tusks.jpg").stat().st_size > most
    settings = Settings(batches="on", store=tmp_path, batch_buckets=("s3://kept-photos",), max_bytes=most)
    lines = [
        {"source-ref": f"s3://{place}"}
        for place in ("kept-photos/in/tusk.jpg", "kept-photos/in/large.jpg", "other/a.jpg", "kept-photos/in/")
    ]
    with TestClient(create_app(settings)) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        content = "\n".join(map(json.dumps, [*lines, {"url": "https://example.com/a.jpg"}]))
        made = client.post("/v1/batches", content=content, headers={"Content-Type": "application/jsonl"}).json()
        until(lambda: client.get(f"/v1/batches/{made['id']}").json()["state"] == "done")
        found = map(json.loads, client.get(f"/v1/batches/{made['id']}/results").text.splitlines())
        told = {line["position"]: line.get("verdict") or line["error"]["code"] for line in found}
    assert told.pop(0) in ("review", "priority")
    assert told == {1: "too_many_bytes", 2: "url_not_allowed", 3: "url_not_allowed", 4: "url_not_allowed"}
    with pytest.raises(StartError, match="batch_buckets"):
        load_settings(batch_buckets=("https://photos",))
