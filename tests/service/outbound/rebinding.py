"""A name server on this machine whose answers change from one question to the next, and a resolver that asks it."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

A, IN = 1, 1


@dataclass
class NameServer:
    """Answers each question with the next of ``addresses``, the last one for ever, to be kept for no second (TTL 0)."""

    addresses: list[str]
    port: int = 0
    asked: list[str] = field(default_factory=list)

    def answer(self, question: bytes) -> bytes:
        self.asked.append(name_in(question))
        address = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0)
        record = struct.pack(">HHHIH", 0xC00C, A, IN, 0, 4) + socket.inet_aton(address)
        return head + question[12:] + record

    def address_of(self, name: str) -> str:
        """Ask the server over the wire."""
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        question = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", A, IN)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(60)
            asking.sendto(question, ("127.0.0.1", self.port))
            return socket.inet_ntoa(asking.recv(512)[-4:])

    def resolver(self, hosts: set[str]) -> Callable[..., Any]:
        """``socket.getaddrinfo`` of a machine that asks this server for ``hosts``."""
        system = socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            return system(self.address_of(name) if name in hosts else host, port, *rest, **options)

        return getaddrinfo


def name_in(question: bytes) -> str:
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode())
        at += 1 + question[at]
    return ".".join(labels)


@contextmanager
def rebinding(*addresses: str) -> Iterator[NameServer]:
    """A name server that answers with these addresses, one after the other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        server = NameServer(list(addresses), listening.getsockname()[1])

        def serve() -> None:
            while True:
                question, client = listening.recvfrom(512)
                if not question:
                    return
                listening.sendto(server.answer(question), client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server
        finally:
            listening.sendto(b"", listening.getsockname())
            thread.join(60)
