"""What clients do to a real service."""

import http.client
import json
import socket
import threading
from dataclasses import dataclass, field
from typing import Any

from tests.live import until


@dataclass
class Load:
    """Clients that post one picture after the other over kept connections until told to stop."""

    port: int
    picture: bytes
    clients: int = 6
    answers: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    lost: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Load":
        self.threads = [threading.Thread(target=self._client) for _ in range(self.clients)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join(60)

    def until(self, count: int) -> None:
        """Wait for so many answers."""
        until(lambda: len(self.answers) >= count)

    def _client(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.stopped.is_set():
            try:
                connection.request("POST", "/v1/detect", self.picture, {"Content-Type": "image/jpeg"})
                response = connection.getresponse()
                body = json.load(response)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.lost.append(repr(error))
                connection.close()
                continue
            if response.status == 200:
                self.answers.append(body)
            elif body["error"]["code"] == "overloaded":
                self.refused += 1
            else:
                self.lost.append(str(body))
        connection.close()


def begun(port: int, picture: bytes) -> http.client.HTTPConnection:
    """A request whose body the service has asked for, and got the beginning of."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest("POST", "/v1/detect")
    connection.putheader("Content-Length", str(len(picture)))
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    assert connection.sock.recv(1000).startswith(b"HTTP/1.1 100")
    connection.send(picture[:1000])
    return connection


def listens(port: int) -> bool:
    """Whether connections to ``port`` are taken."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except ConnectionRefusedError:
        return False
    return True
