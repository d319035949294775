"""How many decoder processes there are, and what becomes of each."""

import signal
import socket
import subprocess

import pytest

from service.decoding.decoders import Bounds, Decoders
from service.decoding.starting import started
from service.errors import StartError
from service.imaging import Limits


def test_there_are_as_many_as_were_asked_for_and_each_starts_when_it_is_needed() -> None:
    made = Decoders(2, Limits(), Bounds())
    with made._process() as one:
        assert made._idle.queue == [None]
        with made._process() as other:
            assert one.popen.pid != other.popen.pid and made._idle.empty()
    assert made._idle.queue == [other, one]
    made.close()
    assert one.popen.returncode == other.popen.returncode == -signal.SIGKILL


def test_one_that_does_not_start_in_time_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[subprocess.Popen[bytes]] = []

    def watched(end: socket.socket) -> subprocess.Popen[bytes]:
        seen.append(started(end))
        return seen[-1]

    monkeypatch.setattr("service.decoding.decoders.started", watched)
    monkeypatch.setattr("service.decoding.decoders._FIRST_SECONDS", 0.001)
    with pytest.raises(StartError, match="does not start"):
        Decoders(1, Limits(), Bounds())
    assert seen[0].returncode == -signal.SIGKILL
    Decoders(1, Limits(), Bounds(patience=100_000)).close()
