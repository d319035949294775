"""Messages between the service and its decoder processes: a JSON object and a run of bytes, each with its length.

Never pickle: a decoder that a picture has taken over must not be able to hand code to the service.
"""

import json
import socket
import struct
import time
from typing import Any

_LENGTHS = struct.Struct(">II")
_MAX_OBJECT = 65_536


class Channel:
    """One end of a socket. ``until``: the moment, by ``time.monotonic()``, at which waiting raises ``TimeoutError``."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.until: float | None = None

    def send(self, fields: dict[str, Any], payload: bytes | memoryview = b"") -> None:
        """Send one message; raises ``OSError`` when the other side is gone."""
        text = json.dumps(fields).encode()
        for part in (_LENGTHS.pack(len(text), len(payload)) + text, payload):
            self._limit()
            self.end.sendall(part)

    def receive(self, most: int) -> tuple[dict[str, Any], bytearray]:
        """Receive one message with a payload of at most ``most`` bytes.

        Raises ``EOFError`` when the other side is gone, ``ValueError`` when it sends something else.
        """
        object_bytes, payload_bytes = _LENGTHS.unpack(self._exactly(_LENGTHS.size))
        if object_bytes > _MAX_OBJECT or payload_bytes > most:
            raise ValueError("a message is larger than allowed")
        try:
            fields = json.loads(self._exactly(object_bytes))
        except RecursionError as error:
            raise ValueError("a message is nested too deeply") from error
        if not isinstance(fields, dict):
            raise ValueError("a message is not an object")
        return fields, self._exactly(payload_bytes)

    def close(self) -> None:
        """Close this end."""
        self.end.close()

    def _exactly(self, count: int) -> bytearray:
        data = bytearray(count)
        view = memoryview(data)
        while len(view):
            self._limit()
            got = self.end.recv_into(view)
            if not got:
                raise EOFError("the other side is gone")
            view = view[got:]
        return data

    def _limit(self) -> None:
        if self.until is not None:
            left = self.until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.end.settimeout(left)
