"""The header Idempotency-Key, over real HTTP: the answer was lost, and the client sends the request again."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from service.keys.keystore import KeyStore
from tests.service.api.batches import CALM, HOST, as_files, as_manifest, as_zip, ended, problem

Keys = tuple[KeyStore, dict[str, str]]


def send(http: httpx.Client, name: str, body: dict[str, Any], key: str | None = None, **params: str) -> httpx.Response:
    headers = {"Idempotency-Key": name, **body.get("headers", {}), **({"X-API-Key": key} if key else {})}
    return http.post("/v1/batches", params=params, **{**body, "headers": headers})


def batches(http: httpx.Client) -> set[str]:
    return {one["id"] for one in http.get("/v1/batches?limit=500").json()["batches"]}


@pytest.mark.parametrize("shape", [as_files, as_zip])
def test_the_same_batch_gets_the_first_answer_and_leaves_no_photos(
    shape: Any, http: httpx.Client, batch_app: FastAPI
) -> None:
    """A form has another boundary each time: what counts is what is in it."""
    name, body = f'"{shape.__name__}"', shape(["leaves.jpg", "bananas.jpg"])
    first = send(http, name, body, **CALM)
    assert first.status_code == 202
    ended(http, first.json()["id"])
    before, folder = batches(http), batch_app.state.faunalens.bulk.photos.place.root
    folders = {path.name for path in folder.iterdir()}
    again = send(http, name, body, **CALM)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Location"] == first.headers["Location"]
    assert batches(http) == before and {path.name for path in folder.iterdir()} == folders


def test_another_request_with_the_key_is_told(http: httpx.Client, batch_keys: Keys, batch_app: FastAPI) -> None:
    body = as_files(["leaves.jpg"])
    first, folder = send(http, "told", body, **CALM).json()["id"], batch_app.state.faunalens.bulk.photos.place.root
    folders = {path.name for path in folder.iterdir()}
    for other, params in (
        (as_files(["bananas.jpg"]), CALM), (body, {}), (body, {**CALM, "source": "elsewhere"}),
        (body, {**CALM, "folders_are_listings": "true"}), (as_manifest({"url": f"https://{HOST}/a.jpg"}), CALM),
    ):  # fmt: skip
        assert problem(send(http, "told", other, **params)) == (422, "idempotency_key_reused")
    assert {path.name for path in folder.iterdir()} == folders
    assert send(http, "told", body, **CALM).json()["id"] == first
    theirs = send(http, "told", as_files(["bananas.jpg"]), batch_keys[1]["two"])
    assert theirs.status_code == 202, "a key is one client's"


def test_what_is_sent_again_does_not_count_for_the_quota(
    http: httpx.Client, batch_keys: Keys, batch_app: FastAPI
) -> None:
    key, body = batch_keys[1]["small"], as_files(["leaves.jpg", "bananas.jpg"])
    answers = [send(http, "quota", body, key) for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1 and answers[0].status_code == 202
    used = batch_app.state.faunalens.access.allowances.used(key.split("_")[1])
    assert used == 2 and problem(send(http, "more", body, key)) == (429, "quota_exceeded")


@pytest.mark.parametrize("name", ["", "two words", "x" * 129, "ä"])
def test_names_that_are_refused(name: str, http: httpx.Client) -> None:
    sent = name.encode("latin-1")
    headers = [(b"Idempotency-Key", sent)]
    assert problem(http.post("/v1/batches", headers=headers, **as_files(["leaves.jpg"]))) == (422, "invalid_parameter")
    answer = http.post("/v1/review/undo", headers=headers, json={})
    assert answer.status_code == 403, "needs a moderator"


def test_an_undo_that_is_sent_again(http: httpx.Client, batch_keys: Keys) -> None:
    batch = http.post("/v1/batches", params=CALM, **as_files(["tusk-single.jpg", "tusk-single.jpg"])).json()["id"]
    ended(http, batch)
    moderator = {"X-API-Key": batch_keys[1]["moderator"]}
    items = http.get(f"/v1/review/queue?batch_id={batch}", headers=moderator).json()["items"]
    for item in items:
        decided = http.post(f"/v1/review/items/{item['item']}/decision", headers=moderator, json={"decision": "reject"})
        assert decided.status_code == 200
    named = {**moderator, "Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    first, again = (http.post("/v1/review/undo", headers=named, json={}).json() for _ in range(2))
    assert first == again and first["item"]["item"] == items[-1]["item"]
    still = http.get(f"/v1/review/queue?batch_id={batch}&state=decided", headers=moderator).json()["items"]
    assert [one["item"] for one in still] == [items[0]["item"]]
