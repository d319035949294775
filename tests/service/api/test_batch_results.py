"""Results of bulk jobs, over real HTTP."""

import csv
import io
import threading

import httpx
import pytest
from fastapi import FastAPI

from tests.live import until
from tests.service.api.batches import (
    CALM,
    PICTURES,
    as_files,
    as_zip,
    ended,
    post,
    results,
)


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


def test_results_are_there_while_the_batch_runs(
    http: httpx.Client, batch_app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = batch_app.state.faunalens.bulk.claims
    take, taken, lock = claims.take, list[object](), threading.Lock()

    def once() -> object:
        with lock:
            claimed = None if taken else take()
            taken.extend(filter(None, [claimed]))
            return claimed

    monkeypatch.setattr(claims, "take", once)
    batch = post(http, as_files(list(PICTURES)))
    until(lambda: results(http, batch))
    status = http.get(f"/v1/batches/{batch}").json()
    assert (status["state"], status["finished"], status["counts"]["waiting"]) == ("running", 1, 2)
    (first,) = results(http, batch)
    rows = list(csv.DictReader(io.StringIO(http.get(f"/v1/batches/{batch}/results?format=csv").text)))
    assert [row["file"] for row in rows] == [first["file"]]
    monkeypatch.undo()
    ended(http, batch)
    assert [record["seq"] for record in results(http, batch, cursor=first["seq"])] == [2, 3]


def test_spreadsheets_take_no_name_for_a_formula(http: httpx.Client) -> None:
    batch = post(http, {"files": [("file", ('=HYPERLINK("x").jpg', PICTURES["leaves.jpg"]))]})
    ended(http, batch)
    (row,) = csv.DictReader(io.StringIO(http.get(f"/v1/batches/{batch}/results?format=csv").text))
    assert row["file"].startswith("'=HYPERLINK")
