"""The service in a process of its own, on a real port, as operators start it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from tests.conftest import ROOT
from tests.live import until

COMMAND = (sys.executable, "-c", "from service.cli import main; main()")
_HELD = list[socket.socket]()


def free_port() -> int:
    """A port that nobody listens on, and that the system gives to nobody who does not ask for it by number.

    A service takes seconds to listen: the tests beside this one open many sockets in the meantime.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _HELD.append(held)
    return int(held.getsockname()[1])


def start(port: int, **environment: str) -> "subprocess.Popen[str]":
    """``faunalens serve``, its output and errors in one pipe."""
    return subprocess.Popen(
        [*COMMAND, "serve", "--port", str(port)], cwd=ROOT, text=True, env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def wait(port: int) -> None:
    """Wait until the service is ready."""
    until(lambda: _ready(port))


@contextlib.contextmanager
def running(**environment: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """Port and process of a service that is ready; in the end SIGTERM must stop it with 0 and without a traceback."""
    port = free_port()
    process = start(port, **environment)
    try:
        wait(port)
        yield port, process
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in output, output


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60):
            return True
    except (urllib.error.URLError, OSError):
        time.sleep(0.05)
        return False
