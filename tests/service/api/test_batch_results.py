"""Results of bulk jobs, over real HTTP."""

import csv
import io

import httpx

from tests.service.api.batches import (
    CALM,
    PICTURES,
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


def test_spreadsheets_take_no_name_for_a_formula(http: httpx.Client) -> None:
    batch = post(http, {"files": [("file", ('=HYPERLINK("x").jpg', PICTURES["leaves.jpg"]))]})
    ended(http, batch)
    (row,) = csv.DictReader(io.StringIO(http.get(f"/v1/batches/{batch}/results?format=csv").text))
    assert row["file"].startswith("'=HYPERLINK")
