"""Identical pictures, sent again to a service with a cache."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.settings import Settings
from tests.conftest import SAMPLES
from tests.live import ready
from tests.models import second_model
from tests.service.api.test_detection import JPEG


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    second_model(folder, shift=0.0)
    return folder


@pytest.fixture(scope="module")
def app(models: Path) -> FastAPI:
    return create_app(Settings(cache=8, model=models / "second.json"))


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with ready(app) as started:
        yield started


def test_hits_follow_the_policy_and_are_counted(client: TestClient, tusk: bytes) -> None:
    def post(query: str = "") -> dict[str, object]:
        answer: dict[str, object] = client.post(f"/v1/detect{query}", content=tusk, headers=JPEG).json()
        return answer

    first, again, other = post(), post(), post("?policy=sensitive")
    assert "cached" not in first and again["cached"] is True and other["cached"] is True
    assert again["scores"] == first["scores"] and again["image"] == first["image"]
    assert again["request_id"] != first["request_id"]
    assert other["policy"] != first["policy"] and other["findings"]
    assert other == {**other, "verdict": "priority"}
    assert "heatmap_png" in post("?heatmap=true")
    metrics = client.get("/metrics").text
    assert 'faunalens_cache_total{outcome="hit"} 2.0' in metrics
    assert 'faunalens_cache_total{outcome="miss"} 1.0' in metrics
    assert sum(float(line.split()[-1]) for line in metrics.splitlines() if "verdicts_total{" in line) == 4


def test_a_kept_picture_gets_its_box_when_another_policy_finds_something(client: TestClient) -> None:
    chips = (SAMPLES / "wood-chips.jpg").read_bytes()
    found = [
        client.post(f"/v1/detect?policy={name}", content=chips, headers=JPEG).json()
        for name in ("default", "sensitive", "sensitive", "default")
    ]
    assert [len(answer["findings"]) for answer in found] == [0, 1, 1, 0]
    assert ["cached" in answer for answer in found] == [False, False, True, True]
    assert found[1]["findings"] == found[2]["findings"] and found[1]["scores"] == found[0]["scores"]


def test_a_picture_that_shows_nothing_is_kept_too(client: TestClient) -> None:
    """Most pictures of a pipeline: their network's map was left out."""
    leaves = (SAMPLES / "leaves.jpg").read_bytes()
    first, again = (client.post("/v1/detect", content=leaves, headers=JPEG).json() for _ in range(2))
    assert (first["verdict"], again["verdict"]) == ("clear", "clear")
    assert "cached" not in first and again["cached"] is True and again["scores"] == first["scores"]


def test_pictures_that_cannot_be_judged_are_not_kept(client: TestClient, app: FastAPI, tusk: bytes) -> None:
    before = len(app.state.faunalens.detector.cache)
    for _ in range(2):
        assert client.post("/v1/detect", content=tusk[:9000], headers=JPEG).status_code == 422
    assert len(app.state.faunalens.detector.cache) == before


def test_a_reload_forgets(client: TestClient, models: Path, tusk: bytes) -> None:
    before = client.post("/v1/detect", content=tusk, headers=JPEG).json()
    assert before.get("cached")
    second_model(models, shift=-2.0)
    assert client.post("/v1/model:reload").status_code == 200
    answer = client.post("/v1/detect", content=tusk, headers=JPEG).json()
    assert "cached" not in answer and answer["scores"]["ivory"] < before["scores"]["ivory"] - 0.05
    assert client.post("/v1/detect", content=tusk, headers=JPEG).json()["scores"] == answer["scores"]
