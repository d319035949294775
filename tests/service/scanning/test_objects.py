import io
import json
import os
import subprocess
import sys
import tarfile
import traceback
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.answer import FileAnswer
from service.detector import Detector
from service.errors import FaunalensError, StartError
from service.scanning import objects
from service.scanning.entries import Entry, LeftOut
from service.scanning.scan import scan
from service.scanning.sources import expand
from tests.conftest import ROOT, SAMPLES
from tests.process import COMMAND
from tests.s3 import SECRET, VARIABLES, s3, s3_client

TUSK = (SAMPLES / "tusk-single.jpg").read_bytes()
MOST = 1_000_000
OBJECTS = {
    "day/1.jpg": TUSK,
    "day/2 ü+%.JPG": (SAMPLES / "bananas.jpg").read_bytes(),
    "day/.hidden.jpg": TUSK,
    "day/empty.png": b"",
    "day/notes.txt": b"no picture",
    "day/sub/3.webp": b"\xff" * (MOST + 50),
    "days.jpg": TUSK,
    ".top.jpg": TUSK,
    ".kept/a.jpg": TUSK,
}
BELOW = ["day/1.jpg", "day/2 ü+%.JPG", "day/empty.png", "day/sub/3.webp"]


def archived(kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("in/a.jpg", TUSK)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            info = tarfile.TarInfo("in/a.jpg")
            info.size = len(TUSK)
            tar.addfile(info, io.BytesIO(TUSK))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An S3 server on this machine; Google's XML interface, which is used for gs://, is the same for reading."""
    with s3() as address:
        yield address


@pytest.fixture(scope="module")
def filled(server: str) -> str:
    with s3_client(server) as client:
        client.create_bucket(Bucket="photos")
        for key, data in {**OBJECTS, "a.zip": archived("zip"), "a.tgz": archived("tgz")}.items():
            client.put_object(Bucket="photos", Key=key, Body=data, ACL="public-read")
        client.create_bucket(Bucket="odd")
        client.put_object(Bucket="odd", Key="a//b.jpg", Body=TUSK)
    return server


@pytest.fixture
def variables(filled: str, tmp_path: Path) -> dict[str, str]:
    """The environment in which both kinds of store are found on the local server."""
    account = tmp_path / "account.json"
    account.write_text(json.dumps({
        "gcs_base_url": filled, "disable_oauth": True, "client_email": "", "private_key": SECRET, "private_key_id": ""
    }))  # fmt: skip
    return {
        **VARIABLES, "AWS_ENDPOINT_URL": filled, "GOOGLE_SERVICE_ACCOUNT": str(account),
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _environment(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def everything(_: str) -> bool:
    return True


def read(*addresses: str, left_out: LeftOut | None = None) -> list[Entry]:
    entries = list(expand(addresses, everything, MOST, left_out or LeftOut()))
    assert all(isinstance(entry, Entry) for entry in entries)
    return entries  # type: ignore[return-value]


def reason(entry: Entry) -> str:
    assert isinstance(entry.data, FaunalensError) and entry.data.code.code == "unreadable_file"
    return str(entry.data.details["reason"])


@pytest.mark.parametrize("scheme", ["s3", "gs"])
@pytest.mark.parametrize("ending", ["", "/"])
def test_a_prefix_gives_its_pictures_cut_above_the_limit(scheme: str, ending: str) -> None:
    wanted = [Entry(f"{scheme}://photos/{key}", OBJECTS[key][: MOST + 1]) for key in BELOW]
    left_out = LeftOut()
    assert read(f"{scheme}://photos/day{ending}", left_out=left_out) == wanted
    assert str(left_out) == "2 left out: 1 hidden, 1 .txt"


def test_a_bucket_and_a_single_object() -> None:
    assert [entry.file for entry in read("s3://photos")] == [f"s3://photos/{key}" for key in [*BELOW, "days.jpg"]]
    assert read("s3://photos/days.jpg") == [Entry("s3://photos/days.jpg", TUSK)]


def test_what_is_hidden_is_read_where_it_is_named() -> None:
    assert read("s3://photos/.kept") == [Entry("s3://photos/.kept/a.jpg", TUSK)]


def test_what_a_store_said_is_in_no_traceback() -> None:
    buckets = {"s3://odd": objects.open_bucket("s3://odd")}
    with pytest.raises(FaunalensError) as caught:
        objects.read("s3://odd/a//b.jpg", buckets, MOST)
    assert "empty part" in caught.value.details["reason"]
    assert "contained empty" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("address", ["s3://photos//", "s3://photos//day"])
def test_a_slash_too_many_takes_nothing_off_the_names(address: str) -> None:
    """It took the dot of ``.top.jpg``."""
    assert read(address) == read(address.replace("s//", "s/"))


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_an_archive_is_read_where_it_lies(kind: str) -> None:
    assert read(f"s3://photos/a.{kind}") == [Entry(f"s3://photos/a.{kind}!in/a.jpg", TUSK)]


def test_what_was_recorded_is_not_fetched_again() -> None:
    done = {f"s3://photos/{key}" for key in BELOW[:3]} | {"s3://photos/days.jpg", "s3://photos/a.zip"}
    paths = ["s3://photos/day", "s3://photos/days.jpg", "s3://photos/a.zip"]
    left = list(expand(paths, lambda file: file not in done, MOST, LeftOut()))
    assert [entry.file for entry in left if isinstance(entry, Entry)] == ["s3://photos/day/sub/3.webp"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://photos/nothing", "no such object"),
        ("s3://missing/day", "status 404"),
        ("s3://odd", "empty part"),
        ("gs://odd/a", "empty part"),
        ("s3://odd/a//b.jpg", "empty part"),
        ("s3://photos/days.jpg/", "no such object"),
    ],
)
def test_what_cannot_be_listed_is_one_failure(address: str, words: str) -> None:
    (entry,) = read(address)
    assert entry.file == address and words in reason(entry)


def test_an_object_that_vanishes_is_one_failure(filled: str) -> None:
    with s3_client(filled) as client:
        for number in range(20):
            client.put_object(Bucket="photos", Key=f"going/{number:02}.jpg", Body=TUSK)
        entries = expand(["s3://photos/going"], everything, MOST, LeftOut())
        first = next(entries)
        client.delete_object(Bucket="photos", Key="going/19.jpg")
        *others, last = entries
    assert isinstance(first, Entry) and len(others) == 18 and isinstance(last, Entry)
    assert "no such object" in reason(last)


@pytest.mark.parametrize("address", ["s3://", "s3:///day", f"s3://key:{SECRET}@photos/day"])
def test_an_address_that_is_none_stops_the_run_and_is_not_repeated(address: str) -> None:
    with pytest.raises(StartError, match="bucket/prefix") as caught:
        read(address)
    assert SECRET not in str(caught.value)


def test_without_the_extra_the_run_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(StartError, match=r"pip install .\.\[objects\]"):
        read("gs://photos/day")


def test_a_scan_judges_them(detector: Detector) -> None:
    records = list(
        scan(detector, detector.policy(None), expand(["s3://photos/day/1.jpg"], everything, MOST, LeftOut()), 1)
    )
    (alone,) = scan(detector, detector.policy(None), [str(SAMPLES / "tusk-single.jpg")], 1)
    assert isinstance(records[0], FileAnswer) and isinstance(alone, FileAnswer)
    assert records[0].file == "s3://photos/day/1.jpg" and records[0].scores == alone.scores


@pytest.mark.parametrize(
    ("changes", "code"),
    [({}, 12), ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, 8), ({"GOOGLE_SERVICE_ACCOUNT": "{broken " + SECRET}, 3)],
)
def test_no_credential_is_ever_written(
    variables: dict[str, str], changes: dict[str, str], code: int, tmp_path: Path
) -> None:
    if "GOOGLE_SERVICE_ACCOUNT" in changes:
        account = tmp_path / "broken.json"
        account.write_text(changes["GOOGLE_SERVICE_ACCOUNT"])
        changes = {"GOOGLE_SERVICE_ACCOUNT": str(account)}
    scheme = "gs" if "GOOGLE_SERVICE_ACCOUNT" in changes else "s3"
    command = [*COMMAND, "scan", f"{scheme}://photos/day"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **variables, **changes}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert SECRET not in done.stdout + done.stderr
