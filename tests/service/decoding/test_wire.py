import socket
import struct
import time
from collections.abc import Iterator

import pytest

from service.decoding.wire import Channel


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    """A channel and the plain socket at its other end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), theirs


def test_there_and_back(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    Channel(theirs).send({"a": [1, "é"]}, b"bytes")
    assert channel.receive(5) == ({"a": [1, "é"]}, bytearray(b"bytes"))


@pytest.mark.parametrize(
    "message",
    [
        struct.pack(">II", 2, 6) + b"{}123456",
        struct.pack(">II", 70_000, 0),
        struct.pack(">II", 2, 0) + b"[]",
        struct.pack(">II", 2, 0) + b"\xff{",
        struct.pack(">II", 60_000, 0) + b"[" * 60_000,
    ],
)
def test_other_messages_are_refused(message: bytes, ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    theirs.sendall(message)
    with pytest.raises(ValueError, match=r"message|decode|Expecting"):
        channel.receive(5)


def test_the_end_and_the_deadline(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    channel.until = time.monotonic() + 0.05
    theirs.sendall(b"\0\0")
    with pytest.raises(TimeoutError):
        channel.receive(5)
    channel.until = None
    theirs.close()
    with pytest.raises(EOFError):
        channel.receive(5)
