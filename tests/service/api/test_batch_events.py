"""Progress of bulk jobs, over real HTTP."""

import json

import httpx
import pytest
from fastapi import FastAPI

from service.errors import ErrorCode, FaunalensError
from service.store.progress import Progress, Status
from tests.live import until
from tests.service.api.batches import (
    PICTURES,
    as_files,
    ended,
    post,
    problem,
)


def test_events_tell_progress_and_the_end(http: httpx.Client) -> None:
    batch = post(http, as_files(list(PICTURES)))
    with http.stream("GET", f"/v1/batches/{batch}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["x-accel-buffering"] == "no", "or nginx keeps them back"
        lines = [line for line in stream.iter_lines() if line]
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    bodies = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert names[-1] == "finished" and set(names[:-1]) <= {"progress"} and len(names) == len(bodies)
    assert bodies[-1]["state"] == "done" and bodies[-1]["finished"] == 3
    assert sorted(body["finished"] for body in bodies) == [body["finished"] for body in bodies]


def test_few_watch_at_a_time(http: httpx.Client, batch_app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    state, batch = batch_app.state.faunalens, post(http, as_files(["leaves.jpg"]))
    ended(http, batch)
    until(lambda: state.watchers.taken == 0)
    assert state.watchers.most == 64, "as the API page says"
    monkeypatch.setattr(state.watchers, "most", 0)
    assert problem(http.get(f"/v1/batches/{batch}/events")) == (503, "overloaded")
    monkeypatch.setattr(state.watchers, "most", 1)
    assert "event: finished" in http.get(f"/v1/batches/{batch}/events").text
    until(lambda: state.watchers.taken == 0)


def test_a_store_that_is_away_for_a_moment_ends_nothing(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = post(http, as_files(["leaves.jpg"]))
    ended(http, batch)
    look, looks = Progress.look, iter(("running", "away"))

    def status(progress: Progress) -> Status:
        kind, found = next(looks, ""), look(progress)
        if kind == "away":
            raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, "away")
        found.batch.state = kind or found.batch.state
        return found

    monkeypatch.setattr(Progress, "look", status)
    assert "event: finished" in http.get(f"/v1/batches/{batch}/events").text
