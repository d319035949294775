"""The real process whose disk fills up and is cleared again: a limit on the size of files stands for the disk."""

import json
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.live import until
from tests.process import free_port, running, start, wait

PICTURES = 24


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[httpx.Client, "subprocess.Popen[str]"]]:
    with (
        running(
            FAUNALENS_BATCHES="on", FAUNALENS_STORE=str(tmp_path), FAUNALENS_BATCH_LEASE_SECONDS="2",
            FAUNALENS_DRAIN_SECONDS="0",
        ) as (port, process),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):  # fmt: skip
        yield client, process


def room(process: "subprocess.Popen[str]", most: int) -> None:
    """Let the process write files of ``most`` bytes; -1: of any size."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def post(client: httpx.Client, picture: bytes) -> httpx.Response:
    files = [("file", (f"{number}.jpg", picture, "image/jpeg")) for number in range(PICTURES)]
    return client.post("/v1/batches", files=files)


def test_a_full_disk_refuses_batches_whole_holds_up_others_and_loses_nothing(
    served: tuple[httpx.Client, "subprocess.Popen[str]"], tusk: bytes
) -> None:
    client, process = served
    batches = list[str]()

    def is_running() -> bool:
        return client.get(f"/v1/batches/{batches[-1]}").json()["state"] == "running"

    def caught_at_work() -> bool:
        """Whether the disk filled up before a batch was done."""
        room(process, resource.RLIM_INFINITY)
        batches.append(post(client, tusk).json()["id"])
        room(process, 0)
        return is_running()

    until(caught_at_work)
    refused = post(client, tusk)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
    assert "Retry-After" in refused.headers
    for _ in range(3):
        assert client.post("/v1/detect", content=tusk).status_code == 200
    assert is_running()
    room(process, resource.RLIM_INFINITY)
    until(lambda: not is_running())
    lines = [json.loads(line) for line in client.get(f"/v1/batches/{batches[-1]}/results").text.splitlines()]
    assert {line["position"] for line in lines} == set(range(PICTURES)) and len(lines) == PICTURES
    assert all("verdict" in line for line in lines)
    again = post(client, tusk)
    assert again.status_code == 202
    assert {one["id"] for one in client.get("/v1/batches").json()["batches"]} == {*batches, again.json()["id"]}


def test_the_log_says_why_the_store_cannot_be_used(tmp_path: Path, tusk: bytes) -> None:
    port = free_port()
    process = start(port, FAUNALENS_BATCHES="on", FAUNALENS_STORE=str(tmp_path), FAUNALENS_DRAIN_SECONDS="0")
    try:
        wait(port)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            room(process, 0)
            refused = post(client, tusk)
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=60)
    assert refused.json()["error"]["details"] == {} and "large" not in refused.text
    (line,) = (json.loads(line) for line in output.splitlines() if '"route": "/v1/batches"' in line)
    assert (line["code"], line["reason"]) == ("store_unavailable", "File too large")
    assert "Running upgrade" in output and "setup plugin" not in output
