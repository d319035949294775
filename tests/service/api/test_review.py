"""Reviewing over real HTTP, and the command that checks the log."""

import datetime
import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from PIL import Image
from sqlalchemy import text

from service.api.app import create_app
from service.cli import main
from service.detector import Detector
from service.errors import StartError
from service.keys.key import Scope
from service.runtime.cores import available_cores
from service.settings import Settings, load_settings
from service.store.database import open_database
from tests.conftest import SAMPLES
from tests.filled import Filled
from tests.keyed import add_key, new_store
from tests.live import serving, until

NAMES = ("tusks.jpg", "bananas.jpg", "tusk-single.jpg", "ivory-bangles.jpg")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def clients(folder: Path, tmp_path: Path) -> Iterator[dict[str, httpx.Client]]:
    """A pipeline, two moderators, and a batch that is judged."""
    store = new_store(tmp_path / "keys.db")
    scopes = {"pipeline": Scope.DETECT, "ann": Scope.REVIEW, "bob": Scope.REVIEW}
    headers = {name: {"X-API-Key": add_key(store, name, scope)} for name, scope in scopes.items()}
    app: FastAPI = create_app(Settings(auth="on", keys=store.path, batches="on", store=folder, retention_hours=1))
    with serving(app) as (host, port):
        made = {
            name: httpx.Client(base_url=f"http://{host}:{port}", timeout=60, headers=h) for name, h in headers.items()
        }
        files = [("file", (name, (SAMPLES / name).read_bytes())) for name in NAMES]
        batch = made["pipeline"].post("/v1/batches?policy=sensitive", files=files).json()["id"]
        until(lambda: made["pipeline"].get(f"/v1/batches/{batch}").json()["state"] == "done")
        yield made
        for client in made.values():
            client.close()


def test_from_the_queue_to_the_log(clients: dict[str, httpx.Client]) -> None:
    ann, bob = clients["ann"], clients["bob"]
    queue = ann.get("/v1/review/queue").json()["items"]
    assert queue[0]["file"] == "tusk-single.jpg"
    assert {item["file"] for item in queue} == {"tusk-single.jpg", "tusks.jpg", "ivory-bangles.jpg"}
    strengths = [item["findings"][0]["probability"] for item in queue[1:]]
    assert [item["verdict"] for item in queue[1:]] == ["review"] * 2 and strengths == sorted(strengths, reverse=True)
    assert queue[0]["verdict"] == "priority" and queue[0]["findings"][0]["category"] == "ivory"
    assert queue[0]["claimed_until"] is None and not queue[0]["yours"]

    (tusk,) = ann.post("/v1/review/claims", json={}).json()["items"]
    rest = bob.post("/v1/review/claims", json={"limit": 10}).json()["items"]
    assert tusk["yours"] and tusk["file"] == "tusk-single.jpg"
    assert [item["item"] for item in rest] == [item["item"] for item in queue[1:]]
    window = {"X-Review-Session": "w1"}
    assert not bob.get(f"/v1/review/items/{tusk['item']}").json()["yours"]
    bob.delete("/v1/review/claims")
    bob.post("/v1/review/claims", json={"limit": 10}, headers=window)
    own = f"/v1/review/items/{rest[0]['item']}"
    assert bob.get(own, headers=window).json()["yours"] and not bob.get(own).json()["yours"]
    bob.delete("/v1/review/claims", headers=window)
    bob.post("/v1/review/claims", json={"limit": 10})

    def decide(client: httpx.Client, item: int, **body: str) -> httpx.Response:
        return client.post(f"/v1/review/items/{item}/decision", json=body)

    taken = decide(bob, tusk["item"], decision="reject")
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "item_taken")
    entry = decide(ann, tusk["item"], decision="confirm").json()
    assert (entry["seq"], entry["decision"], entry["category"], entry["sha256"]) == (
        1, "confirm", "ivory", tusk["image"]["sha256"],
    )  # fmt: skip
    assert decide(ann, tusk["item"], decision="reject").json()["error"]["code"] == "already_decided"
    assert decide(bob, rest[0]["item"], decision="confirm", category="x").json()["error"]["code"] == "unknown_category"
    assert decide(bob, rest[0]["item"], decision="confirm", category="").json()["error"]["code"] == "invalid_parameter"
    assert decide(bob, rest[0]["item"], decision="keep").json()["error"]["code"] == "invalid_parameter"
    assert decide(bob, 99, decision="reject").json()["error"]["code"] == "unknown_item"
    assert decide(bob, rest[0]["item"], decision="reject").status_code == 200
    assert decide(bob, rest[0]["item"], decision="undo").json()["undoes"] == 2
    assert bob.delete("/v1/review/claims").status_code == 204
    assert len(ann.post("/v1/review/claims", json={"limit": 10}).json()["items"]) == 2

    lines = [json.loads(line) for line in ann.get("/v1/decisions").text.splitlines()]
    assert [line["decision"] for line in lines] == ["confirm", "reject", "undo"]
    assert len({line["moderator"] for line in lines}) == 2
    assert [json.loads(line) for line in ann.get("/v1/decisions?cursor=1&limit=1").text.splitlines()] == [lines[1]]
    for path in ("/v1/review/queue", "/v1/decisions"):
        assert clients["pipeline"].get(path).json()["error"]["code"] == "forbidden"


def test_photos_seen_before_are_looked_for_on_few_threads(
    clients: dict[str, httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look takes some megabytes; two hundred at once held half a gigabyte."""
    names = set[str]()
    monkeypatch.setattr(
        "service.api.review_items.likenesses", lambda *_: names.add(threading.current_thread().name) or []
    )
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: clients["ann"].get("/v1/review/items/1/similar").json(), range(32)))
    assert found == [{"items": []}] * 32
    assert names and names <= {f"lookups_{number}" for number in range(available_cores())}


def test_numbers_that_no_database_takes(clients: dict[str, httpx.Client]) -> None:
    ann, huge = clients["ann"], 2**63
    for path in (
        f"items/{huge}", f"items/{huge}/photo", f"items/{huge}/heatmap", f"items/{huge}/similar", f"items/-{huge}",
    ):  # fmt: skip
        assert ann.get(f"/v1/review/{path}").json()["error"]["code"] == "invalid_parameter", path
    assert ann.get(f"/v1/review/items/{huge - 1}").json()["error"]["code"] == "unknown_item"
    told = ann.post(f"/v1/review/items/{huge}/decision", json={"decision": "reject"})
    assert told.json()["error"]["code"] == "invalid_parameter"
    many = {"items": [huge], "decision": "reject"}
    assert ann.post("/v1/review/decisions", json=many).json()["error"]["code"] == "invalid_parameter"
    batch = ann.get("/v1/batches").json()["batches"][0]["id"]
    for path in ("decisions", f"batches/{batch}/results"):
        assert ann.get(f"/v1/{path}?cursor={huge}").json()["error"]["code"] == "invalid_parameter"
        assert ann.get(f"/v1/{path}?cursor={huge - 1}&limit={huge}").text == ""


def test_audit_verify(clients: dict[str, httpx.Client], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = clients["ann"]
    items = [item["item"] for item in ann.get("/v1/review/queue").json()["items"]]
    hashes = [ann.post(f"/v1/review/items/{i}/decision", json={"decision": "reject"}).json()["hash"] for i in items]
    monkeypatch.setenv("FAUNALENS_STORE", str(folder))

    def verify(*options: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["audit", "verify", *options])
        return done.exit_code, done.output

    assert verify("--head", hashes[1]) == (0, f"3 entries, none changed; head {hashes[2]}\n")
    assert verify("--head", "0" * 64)[0] == 1
    database = open_database(None, folder)
    with database.writing() as session:
        session.execute(text("DELETE FROM decisions WHERE seq = 3"))
        session.execute(text("UPDATE reviews SET state = 'open', last_seq = NULL WHERE last_seq = 3"))
    assert verify()[0] == 0, "a tail that was cut off carefully shows only by a hash that was noted"
    assert verify("--head", hashes[2])[0] == 1
    with database.writing() as session:
        session.execute(text("UPDATE decisions SET entry = replace(entry, 'reject', 'confirm') WHERE seq = 1"))
    code, output = verify()
    assert code == 1 and output.startswith("entry 1: its text or what came before was changed")
    database.close()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FAUNALENS_STORE", "nowhere")
    assert verify() == (3, f"faunalens: there is no store at {folder / 'nowhere'}; FAUNALENS_STORE says where\n")
    (folder / "nowhere").mkdir()
    assert verify()[0] == 3 and not list((folder / "nowhere").iterdir()), "a volume that is not mounted, say"


def test_photos_and_what_is_known_of_them(clients: dict[str, httpx.Client], folder: Path) -> None:
    ann = clients["ann"]
    tusk = ann.get("/v1/review/queue").json()["items"][0]
    address = f"/v1/review/items/{tusk['item']}"
    assert tusk["photo"] and tusk["photo_until"] and ann.get(address).json() == tusk
    for size, side in (("small", 320), ("large", 480)):
        photo = ann.get(f"{address}/photo?size={size}")
        assert photo.headers["Content-Type"] == "image/jpeg"
        assert max(Image.open(io.BytesIO(photo.content)).size) == side
    assert Image.open(io.BytesIO(ann.get(f"{address}/heatmap").content)).format == "PNG"
    assert ann.get(f"{address}/heatmap?category=x").json()["error"]["code"] == "unknown_category"
    assert ann.get(f"{address}/similar").json() == {"items": []}
    assert ann.get("/v1/review/items/99/photo").json()["error"]["code"] == "unknown_item"
    assert clients["pipeline"].get(f"{address}/photo").json()["error"]["code"] == "forbidden"
    for path in folder.glob("photos/*/*"):
        path.unlink()
    gone = ann.get(f"{address}/photo")
    assert (gone.status_code, gone.json()["error"]["code"]) == (410, "photo_unavailable")


def test_preferences_counters_and_the_summary(clients: dict[str, httpx.Client]) -> None:
    ann, bob = clients["ann"], clients["bob"]
    me = ann.get("/v1/review/me").json()
    assert me["name"] == "ann" and not me["may_add"] and me["retention_hours"] == 1
    assert me["preferences"] == {"blur": True, "grey": True, "shortcuts": True, "break_minutes": 45}
    wanted = {"blur": False, "grey": True, "shortcuts": True, "break_minutes": 0}
    assert ann.put("/v1/review/me", json=wanted).json() == wanted
    assert ann.get("/v1/review/me").json()["preferences"] == wanted
    assert bob.get("/v1/review/me").json()["preferences"] == me["preferences"]
    assert ann.put("/v1/review/me", json={"blur": True}).json() == {**wanted, "blur": True}, "the rest stays"
    assert ann.put("/v1/review/me", json={"blur": None, "grey": wanted["grey"]}).json() == {**wanted, "blur": True}
    assert ann.put("/v1/review/me", json={"break_minutes": -1}).json()["error"]["code"] == "invalid_parameter"

    items = [item["item"] for item in ann.get("/v1/review/queue").json()["items"]]
    other = {"decision": "reject", "batch_id": "0" * 32}
    assert ann.post(f"/v1/review/items/{items[0]}/decision", json=other).json()["error"]["code"] == "unknown_item"
    many = {"items": items, "decision": "reject", "batches": ["0" * 32] * len(items)}
    done = ann.post("/v1/review/decisions", json=many).json()
    assert not done["entries"] and {one["error"]["code"] for one in done["failures"]} == {"unknown_item"}
    few = ann.post("/v1/review/decisions", json={**many, "batches": ["0" * 32]})
    assert few.json()["error"]["code"] == "invalid_parameter"
    done = ann.post("/v1/review/decisions", json={"items": [*items, 99], "decision": "reject"}).json()
    assert [entry["item"] for entry in done["entries"]] == items
    assert [(one["item"], one["error"]["code"]) for one in done["failures"]] == [(99, "unknown_item")]
    undone = ann.post("/v1/review/undo", json={}).json()
    assert undone["entry"]["undoes"] == 3 and undone["item"]["item"] == items[-1] and undone["item"]["yours"]
    assert bob.post("/v1/review/undo", json={}).json()["error"]["code"] == "nothing_to_undo"
    assert bob.post("/v1/review/claims", json={}).json()["items"] == [], "what was taken back is the moderator's"
    assert ann.get("/v1/review/me").json()["today"]["decided"] == 2
    (counted,) = bob.get("/v1/review/moderators").json()["moderators"]
    assert counted["name"] == "ann" and counted["week"]["decisions"]["reject"] == 3
    assert ann.get("/v1/review/summary").json()["states"] == {
        "open": 1, "second": 0, "unsure": 0, "escalated": 0, "decided": 2,
    }  # fmt: skip


def test_yesterdays_decisions_that_are_taken_back_today(
    clients: dict[str, httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = clients["ann"]
    (item,) = ann.post("/v1/review/claims", json={}).json()["items"]
    ann.post(f"/v1/review/items/{item['item']}/decision", json={"decision": "reject"})
    midnight = datetime.datetime.now(datetime.UTC)
    monkeypatch.setattr("service.api.moderators._midnight", lambda: midnight)
    ann.post("/v1/review/undo", json={})
    today = ann.get("/v1/review/me").json()["today"]
    assert (today["decided"], today["decisions"]["undo"]) == (0, 1)


def test_windows_and_times(clients: dict[str, httpx.Client]) -> None:
    ann = clients["ann"]
    one, other = ({"X-Review-Session": window} for window in ("one", "other"))
    (first,) = ann.post("/v1/review/claims", json={}, headers=one).json()["items"]
    (second,) = ann.post("/v1/review/claims", json={}, headers=other).json()["items"]
    assert first["item"] != second["item"]
    address = f"/v1/review/items/{first['item']}/decision"
    assert ann.post(address, json={"decision": "reject"}, headers=other).json()["error"]["code"] == "item_taken"
    assert ann.post(address, json={"decision": "reject"}, headers=one).status_code == 200
    bad = ann.get("/v1/review/queue", headers={"X-Review-Session": "not a name"})
    assert bad.json()["error"]["code"] == "invalid_parameter"
    assert len(ann.get("/v1/review/queue?since=2020-01-01&until=2120-01-01T00:00:00").json()["items"]) == 2
    assert ann.get("/v1/review/queue?until=2020-01-01T00:00:00Z").json()["items"] == []


def test_notices_in_the_languages_of_the_catalogue(clients: dict[str, httpx.Client], detector: Detector) -> None:
    ann = clients["ann"]
    for language in detector.catalog.languages:
        found = clients["pipeline"].get(f"/v1/notices/ivory?lang={language}").json()
        assert (found["name"], found["why"]) == tuple(detector.catalog["ivory"].notice[language].model_dump().values())
        assert found["instead"] == detector.catalog.instead[language] and found["notice_key"] == "notice.ivory"
    assert ann.get("/v1/notices/gold").json()["error"]["code"] == "unknown_category"
    assert ann.get("/v1/notices/ivory?lang=tlh").json()["error"]["code"] == "unknown_language"
    first, second, _ = (item["item"] for item in ann.get("/v1/review/queue").json()["items"])
    made = ann.post(f"/v1/review/items/{first}/decision?lang=fr", json={"decision": "confirm"}).json()
    assert made["notice"] == ann.get("/v1/notices/ivory?lang=fr").json()
    assert "notice" not in ann.post(f"/v1/review/items/{second}/decision?lang=fr", json={"decision": "reject"}).json()
    confirmed, rejected = (json.loads(line) for line in ann.get("/v1/decisions?lang=vi").text.splitlines())
    assert confirmed["notice"]["language"] == "vi" and "notice" not in rejected
    assert "notice" not in ann.get("/v1/decisions").text
    assert ann.get("/v1/decisions?lang=tlh").json()["error"]["code"] == "unknown_language"


def test_the_marketplace_is_told_decisions_with_notices(filled: Filled, detector: Detector) -> None:
    settings = Settings(
        batches="on", store=filled.folder, webhook_hosts=("hooks.faunalens.test",),
        webhook_secret="whsec_" + "c2Vj" * 8, decision_webhook="https://hooks.faunalens.test/all",
        notice_languages=("en", "zh"),
    )  # fmt: skip
    app = create_app(settings)
    app.state.faunalens.bulk.settings = settings.model_copy(update={"webhook_hosts": ()})  # nothing is sent
    with serving(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as http:
        for decision in ("confirm", "undo", "reject"):
            http.post(f"/v1/review/items/{filled.ids['tusk-single.jpg']}/decision", json={"decision": decision})
    with filled.database.reading() as session:
        rows = session.execute(text("SELECT event, url, body FROM deliveries ORDER BY next_at")).all()
    assert [(event, url) for event, url, _ in rows] == [
        ("decision.made", settings.decision_webhook), ("decision.undone", settings.decision_webhook),
        ("decision.made", settings.decision_webhook),
    ]  # fmt: skip
    confirmed, undone, rejected = (json.loads(body)["data"] for _, _, body in rows)
    assert confirmed["listing_id"] == "L-1" and confirmed["category"] == "ivory"
    assert confirmed["notices"]["zh"]["why"] == detector.catalog["ivory"].notice["zh"].why
    assert undone["undoes"] == confirmed["seq"] and "notices" not in undone and "notices" not in rejected


def test_a_decision_webhook_must_go_where_webhooks_may() -> None:
    with pytest.raises(StartError, match="decision_webhook"):
        load_settings(decision_webhook="https://elsewhere.test/")
    with pytest.raises(StartError, match="NOTICE_LANGUAGES"):
        Detector(Settings(notice_languages=("en", "tlh")))
