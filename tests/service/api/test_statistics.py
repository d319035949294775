"""The report over real HTTP: a batch, decisions, live requests, the random sample, CSV, drift and the page's policy."""

import csv
import datetime
import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from service.api.app import create_app
from service.errors import ErrorCode, FaunalensError, StartError
from service.keys.key import Scope
from service.settings import Settings, load_settings
from service.store.tallies import Key, today
from tests.conftest import SAMPLES
from tests.keyed import add_key, new_store
from tests.live import serving, until

NAMES = ("tusks.jpg", "bananas.jpg", "tusk-single.jpg", "ivory-bangles.jpg", "leaves.jpg")


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return create_app(
        Settings(
            batches="on", store=tmp_path / "store", retention_hours=1, audit_rate=1.0, baseline="2026-01-01/2026-01-31"
        )
    )


@pytest.fixture
def http(app: FastAPI) -> Iterator[httpx.Client]:
    """A service with a judged batch; every photo without a finding belongs to the random sample."""
    with serving(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=30) as client:
        files = [("file", (name, (SAMPLES / name).read_bytes())) for name in NAMES]
        batch = client.post("/v1/batches?policy=sensitive&source=uploads", files=files).json()["id"]
        until(lambda: client.get(f"/v1/batches/{batch}").json()["state"] == "done")
        # the last one is counted a moment later
        until(lambda: client.get("/v1/stats").json()["total"]["seen"] == len(NAMES))
        yield client


@pytest.mark.parametrize(
    ("slow", "path", "other"),
    [
        ("service.api.statistics.report", "/v1/stats", "/v1/batches"),
        ("service.store.batches.Batches.newest", "/v1/batches", "/v1/review/queue"),
    ],
)
def test_what_takes_long_leaves_room_for_others(
    slow: str, path: str, other: str, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, end = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        begun.set()
        end.wait(120)
        raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, "not now")

    monkeypatch.setattr(slow, wait)
    with ThreadPoolExecutor(40) as pool:
        answers = [pool.submit(httpx.get, f"{http.base_url}{path}", timeout=240) for _ in range(40)]
        try:
            assert begun.wait(60)
            time.sleep(0.5)
            assert http.get(other, timeout=60).status_code == 200
        finally:
            end.set()
        assert {answer.result().status_code for answer in answers} == {503}


def queue(http: httpx.Client) -> dict[str, int]:
    return {item["file"]: item["item"] for item in http.get("/v1/review/queue").json()["items"]}


def clear_ones(http: httpx.Client) -> set[str]:
    """Photos without a finding, as the results say and the queue does not."""
    batch = http.get("/v1/batches").json()["batches"][0]["id"]
    lines = map(json.loads, http.get(f"/v1/batches/{batch}/results").text.splitlines())
    return {line["file"] for line in lines if line["verdict"] == "clear"}


def decide(http: httpx.Client, item: int, **body: str) -> None:
    assert http.post(f"/v1/review/items/{item}/decision", json=body).status_code == 200


def test_from_photos_and_decisions_to_the_report(http: httpx.Client) -> None:
    items, clear = queue(http), clear_ones(http)
    assert set(items) == set(NAMES), "photos without finding are in the queue, like any other"
    flagged = [name for name in NAMES if name not in clear]
    assert "tusk-single.jpg" in flagged and "bananas.jpg" in clear
    empty = http.get("/v1/stats").json()
    assert empty["total"]["flagged"] == len(flagged)
    assert empty["total"]["precision"] is None is empty["total"]["recall"]
    for name in NAMES:
        confirmed = name in ("tusk-single.jpg", "bananas.jpg")
        decide(
            http, items[name], **({"decision": "confirm", "category": "ivory"} if confirmed else {"decision": "reject"})
        )
    live = [http.post("/v1/detect?source=pipeline", content=(SAMPLES / name).read_bytes()).json() for name in NAMES[:3]]
    live_flagged = sum(answer["verdict"] != "clear" for answer in live)
    found = http.get("/v1/stats").json()
    total = found["total"]
    assert (total["seen"], total["flagged"], total["decided"], total["confirmed"]) == (5, len(flagged), len(flagged), 1)
    assert total["flagged_share"]["value"] == len(flagged) / 5
    assert total["precision"]["value"] == 1 / len(flagged)
    assert 0 < total["precision"]["low"] < 1 / len(flagged) < total["precision"]["high"] <= 1
    assert (total["sampled"], total["missed"]) == (len(clear), 1)
    assert total["recall"]["value"] == pytest.approx(0.5), "one was flagged and one was not"
    assert (total["live_seen"], total["live_flagged"]) == (3, live_flagged)
    ivory = next(line for line in found["categories"] if line["category"] == "ivory")
    assert (ivory["seen"], ivory["confirmed"], ivory["missed"]) == (5, 1, 1) and ivory["live_flagged"] >= 1
    assert {line["source"]: line["seen"] for line in found["sources"]} == {"uploads": 5, "pipeline": 0}
    this_week = found["weeks"][-1]
    assert this_week["seen"] == 5 and this_week["live_seen"] == 3 and sum(week["seen"] for week in found["weeks"]) == 5
    assert datetime.date.fromisoformat(this_week["week"]).weekday() == 0 and len(found["weeks"]) == 13
    only = http.get("/v1/stats?source=pipeline").json()
    assert (only["total"]["seen"], only["total"]["live_seen"]) == (0, 3)
    assert http.get("/v1/stats?since=2020-01-01&until=2020-02-01").json()["total"]["seen"] == 0


def test_the_fall_against_a_baseline(http: httpx.Client) -> None:
    for item in queue(http).values():
        decide(http, item, decision="confirm")
    day = today().isoformat()
    found = http.get("/v1/stats", params={"baseline_since": day, "baseline_until": day}).json()["fall"]
    whole, *categories = found["lines"]
    assert whole["category"] is None and whole["fall"]["value"] == 0 and whole["reached"] is False
    assert (found["aim"], found["comparable"], found["baseline_since"]) == (0.8, True, day)
    assert "ivory" in [line["category"] for line in categories]
    default = http.get("/v1/stats").json()["fall"]
    assert default["baseline_since"] == "2026-01-01" and default["lines"] == [
        {"category": None, "fall": None, "reached": None}
    ]
    error = http.get("/v1/stats?baseline_since=2026-02-01&baseline_until=2026-01-01").json()["error"]
    assert error["details"]["problems"][0]["parameter"] == "query.baseline_since"
    for wrong in (
        "baseline_since=2026-01-01", "since=2026-02-01&until=2026-01-01", "since=0001-01-01", "until=0001-01-01",
        "until=9999-12-31", "since=x",
    ):  # fmt: skip
        error = http.get(f"/v1/stats?{wrong}").json()["error"]
        assert error["code"] == "invalid_parameter" and "query." in error["details"]["problems"][0]["parameter"]


def test_csv_has_the_same_numbers(http: httpx.Client) -> None:
    http.post("/v1/detect?source=%3DSUM(A1)", content=(SAMPLES / "leaves.jpg").read_bytes()).raise_for_status()
    response = http.get("/v1/stats?format=csv")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.text)))
    total = http.get("/v1/stats").json()["total"]
    assert rows[0]["group"] == "total" and int(rows[0]["seen"]) == total["seen"] == 5
    assert float(rows[0]["flagged_low"]) == total["flagged_share"]["low"] and rows[0]["precision"] == ""
    assert {row["group"] for row in rows} == {"total", "category", "source", "week", "cell"}
    (cell,) = [
        row for row in rows if row["group"] == "cell" and row["source"] == "uploads" and row["category"] == "ivory"
    ]
    items = http.get("/v1/review/queue").json()["items"]
    found = [item for item in items if "ivory" in {finding["category"] for finding in item["findings"]}]
    assert int(cell["flagged"]) == len(found) >= 1 and cell["week"]
    assert "'=SUM(A1)" in {row["source"] for row in rows}, "no spreadsheet takes a source for a formula"


@pytest.mark.parametrize(("made", "path"), [("_csv", "/v1/stats?format=csv"), ("stats", "/v1/stats")])
def test_a_report_is_written_where_nobody_waits_for_it(
    made: str, path: str, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The intervals of a thousand lines take seconds; on the event loop nothing else was answered meanwhile."""
    import service.api.statistics as module

    names, original = list[str](), getattr(module, made)

    def noted(*given: object) -> object:
        names.append(threading.current_thread().name)
        return original(*given)

    monkeypatch.setattr(module, made, noted)
    assert http.get(path).status_code == 200
    assert [name.partition("_")[0] for name in names] == ["reports"]


def test_drift_is_a_field_and_a_metric(app: FastAPI, http: httpx.Client) -> None:
    found = http.get("/v1/stats").json()["drift"]
    assert found["until"] == today().isoformat() and found["alert"] is False
    assert len(found["shifts"]) == len(app.state.faunalens.detector.contract.ids)
    bulk = app.state.faunalens.bulk
    old, day = bulk.drift_days[1].since.isoformat(), today().isoformat()
    counts: dict[Any, int] = {}
    for key, count in ((("photo", "", 0), 1000), (("score", "coral", 0), 900), (("score", "coral", 5), 100)):
        counts[(old, "live", "", *key)] = count
    for key, count in ((("photo", "", 0), 1000), (("score", "coral", 0), 100), (("score", "coral", 5), 900),
                       (("finding", "shell", 0), 90)):  # fmt: skip
        counts[(day, "live", "", *key)] = count
    bulk.tallies._counts.update({Key(*key): count for key, count in counts.items()})
    drift = http.get("/v1/stats").json()["drift"]
    alerts = {one["category"]: one["alerts"] for one in drift["shifts"] if one["alerts"]}
    assert drift["alert"] and alerts == {"coral": ["scores"], "shell": ["share"]}
    bulk._look_for_drift()
    text = http.get("/metrics").text
    assert 'faunalens_drift_alert{category="coral",what="scores"} 1.0' in text
    assert 'faunalens_drift_alert{category="shell",what="share"} 1.0' in text
    assert 'faunalens_drift_alert{category="ivory",what="scores"} 0.0' in text
    assert 'faunalens_drift_psi{category="coral"}' in text


def test_the_page_is_open_and_the_numbers_are_not(tmp_path: Path) -> None:
    store = new_store(tmp_path / "keys.db")
    keys = {scope: add_key(store, scope, scope) for scope in (Scope.DETECT, Scope.REVIEW)}
    app = create_app(Settings(auth="on", keys=store.path, batches="on", store=tmp_path / "store"))
    with serving(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as http:
        page = http.get("/stats")
        assert page.status_code == 200 and "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert "<style" not in page.text and "style=" not in page.text and "http" not in page.text
        for name in ("stats.js", "stats.css", "icon.svg"):
            response = http.get(f"/stats-assets/{name}")
            assert response.status_code == 200 and response.headers["Cache-Control"] == "no-cache"
        assert http.get("/v1/stats").status_code == 401
        assert http.get("/v1/stats", headers={"X-API-Key": keys[Scope.DETECT]}).status_code == 403
        assert http.get("/v1/stats", headers={"X-API-Key": keys[Scope.REVIEW]}).status_code == 200


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(StartError, match="retention_hours"):
        load_settings(audit_rate=0.1)
    for wrong in ("2026-01-01", "2026-02-01/2026-01-01", "2020-01-01/2026-01-01", "x/y"):
        with pytest.raises(StartError, match="baseline"):
            load_settings(baseline=wrong)
