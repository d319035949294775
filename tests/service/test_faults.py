"""The real process under load: stopping, new weights, a log that cannot be written."""

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.detector import DEFAULT_MODEL, shipped_weights
from tests.conftest import ROOT, encoded
from tests.live import children, until
from tests.load import Load, begun, listens
from tests.models import second_model
from tests.process import COMMAND, free_port, start, wait
from tests.service.hostile import scene

# on a busy machine a client may take seconds for its next request: it would send into a connection that is being closed
KEEP = {"FAUNALENS_KEEP_ALIVE_SECONDS": "300"}


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60):
            return True
    except urllib.error.HTTPError as error:
        return "stopping" not in error.read().decode()


def test_sigterm_under_load_loses_nothing(tusk: bytes) -> None:
    """The clients are a load balancer's: they go on until readiness is off, and every request gets its answer.

    A second SIGTERM ends the first part early.
    """
    port = free_port()
    process = start(port, FAUNALENS_DRAIN_SECONDS="300", **KEEP)
    wait(port)
    with Load(port, tusk) as load:
        load.until(10)
        process.send_signal(signal.SIGTERM)
        until(lambda: not ready(port))
        load.until(len(load.answers) + 3)
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert load.lost == []
    assert len(load.answers) > 10
    assert process.returncode == 0, output
    assert "Traceback" not in output


@pytest.mark.parametrize(("sent", "drain"), [(signal.SIGTERM, "0"), (signal.SIGINT, "300")])
def test_a_request_under_way_is_finished(tusk: bytes, sent: signal.Signals, drain: str) -> None:
    """Its body is still coming when the service stops listening, at SIGINT without the time for draining."""
    port = free_port()
    process = start(port, FAUNALENS_DRAIN_SECONDS=drain, FAUNALENS_READ_SECONDS="60", FAUNALENS_SHUTDOWN_SECONDS="120")
    wait(port)
    connection = begun(port, tusk)
    process.send_signal(sent)
    until(lambda: not listens(port), 60)
    connection.send(tusk[1000:])
    response = connection.getresponse()
    assert response.status == 200 and json.load(response)["verdict"]
    connection.close()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "Traceback" not in output


def test_a_request_that_never_ends_is_cut_off_and_said(tusk: bytes) -> None:
    port = free_port()
    process = start(port, FAUNALENS_DRAIN_SECONDS="0", FAUNALENS_SHUTDOWN_SECONDS="1", FAUNALENS_READ_SECONDS="60")
    wait(port)
    connection = begun(port, tusk)
    process.send_signal(signal.SIGTERM)
    response = connection.getresponse()
    assert response.status == 503 and json.load(response)["error"]["code"] == "not_ready"
    output, _ = process.communicate(timeout=60)
    connection.close()
    assert process.returncode == 1, output
    assert "1 requests were cut off" in output and "Traceback" not in output


def post_reload(port: int, _: "subprocess.Popen[str]") -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/model:reload", b"")
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.status == 200


def hang_up(_: int, process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize("reload", [post_reload, hang_up])
def test_new_weights_under_load(
    reload: Callable[[int, "subprocess.Popen[str]"], None], tmp_path: Path, tusk: bytes
) -> None:
    """No request is dropped, and every answer is wholly from one model: its SHA-256 fits its scores."""
    for file in shipped_weights().glob("faunalens-2-int8.*"):
        shutil.copy(file, tmp_path)
    second_model(tmp_path)
    current = tmp_path / "current.json"
    current.symlink_to(DEFAULT_MODEL)
    port = free_port()
    process = start(port, FAUNALENS_MODEL=str(current), FAUNALENS_DRAIN_SECONDS="0", **KEEP)
    wait(port)
    with Load(port, tusk, clients=3) as load:
        for name in ("second.json", DEFAULT_MODEL):
            load.until(len(load.answers) + 5)
            (tmp_path / "next").symlink_to(name)
            (tmp_path / "next").replace(current)
            sha256 = json.loads((tmp_path / name).read_text())["sha256"]
            reload(port, process)
            until(lambda sha256=sha256: load.answers[-1]["model"]["sha256"] == sha256)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert load.lost == [] and process.returncode == 0, output
    pairs = {(answer["model"]["sha256"], json.dumps(answer["scores"])) for answer in load.answers}
    assert len(pairs) == 2 == len({sha256 for sha256, _ in pairs})


def serve_into(port: int, stderr: Any) -> "subprocess.Popen[bytes]":
    """A service that logs much to ``stderr``."""
    return subprocess.Popen(
        [*COMMAND, "serve", "--port", str(port)],
        cwd=ROOT, stderr=stderr,
        env={**os.environ, **KEEP, "FAUNALENS_LOG_LEVEL": "debug", "FAUNALENS_DRAIN_SECONDS": "0"},
    )  # fmt: skip


def lines_dropped(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as response:
        text = response.read().decode()
    return float(text.split("\nfaunalens_log_lines_dropped_total ")[1].split()[0])


def test_a_log_on_a_full_disk_stops_nothing(tusk: bytes) -> None:
    port = free_port()
    with open("/dev/full", "w") as full:
        process = serve_into(port, full)
    wait(port)
    with Load(port, tusk, clients=2) as load:
        load.until(3)
    until(lambda: lines_dropped(port) >= 3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert load.lost == []


def test_a_log_that_nobody_reads_stops_nothing(tusk: bytes) -> None:
    port = free_port()
    reading, writing = os.pipe()
    try:
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        process = serve_into(port, writing)
        wait(port)
        with Load(port, tusk, clients=2) as load:
            load.until(40)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        os.set_blocking(reading, False)
        assert len(os.read(reading, 65_536)) > 3000, "the pipe was full"
    finally:
        os.close(reading)
        os.close(writing)
    assert load.lost == []


def test_killed_decoder_processes_under_load_cost_a_picture_each(tusk: bytes) -> None:
    """Whoever had a picture in one is told so; everybody else is answered."""
    port, kills = free_port(), 0
    process = start(port, FAUNALENS_DECODERS="2", FAUNALENS_DRAIN_SECONDS="0", FAUNALENS_DECODE_SECONDS="60", **KEEP)
    wait(port)
    slow = encoded(scene(1600, 1200), "PNG")
    with Load(port, tusk, clients=2) as cheap, Load(port, slow, clients=3) as load:
        # some kills find a decoder process between two pictures
        while kills < 8 or (not load.lost and kills < 400):
            load.until(len(load.answers) + 3)
            for child in children(process.pid):
                # one that was killed before may be cleared away meanwhile
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                    kills += 1
        load.until(len(load.answers) + 3)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert cheap.lost == [] and len(cheap.answers) > 0
    assert 0 < len(load.lost) <= kills
    assert all("decoder_stopped" in body for body in load.lost)


def test_a_connection_that_waits_to_be_accepted_at_sigterm_is_served(tusk: bytes) -> None:
    """The process is stopped, so the connection and its request lie in the listen backlog when the signal comes."""
    port = free_port()
    process = start(port, FAUNALENS_DRAIN_SECONDS="300")
    wait(port)
    process.send_signal(signal.SIGSTOP)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/v1/detect", tusk, {"Content-Type": "image/jpeg"})
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    response = connection.getresponse()
    assert response.status == 200 and json.load(response)["verdict"]
    assert response.headers["Connection"] == "close"
    connection.close()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
