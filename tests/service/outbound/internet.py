"""A TLS server on this machine that stands for the internet: names resolve to public addresses by a stand-in."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpcore2
import pytest
import trustme

from service.errors import ErrorCode, FaunalensError
from service.outbound.fetch import Fetcher
from service.settings import Settings

HOST, OTHER = "pictures.faunalens.test", "other.faunalens.test"
PUBLIC, LOOPBACK = "93.184.216.34", "127.0.0.1"
CA = trustme.CA()
TRUST = ssl.create_default_context()
CA.configure_trust(TRUST)
Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Network(httpcore2.AnyIOBackend):
    """Carries a connection to any address to the test's server; notes what was asked for."""

    def __init__(self, port: int, dead: Iterable[str] = (), silent: Iterable[str] = ()) -> None:
        self.port = port
        self.dead, self.silent = tuple(dead), tuple(silent)
        self.asked: list[tuple[str, int]] = []

    async def connect_tcp(self, host: str, port: int, *rest: Any, **options: Any) -> httpcore2.AsyncNetworkStream:
        self.asked.append((host, port))
        if host in self.dead:
            raise httpcore2.ConnectError
        if host in self.silent:
            await asyncio.Event().wait()
        return await super().connect_tcp(LOOPBACK, self.port, *rest, **options)


@dataclass
class Server:
    """What the server saw, and what it answers by path."""

    replies: dict[str, Reply]
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            await self.replies[head.split()[1].decode()](writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(certificate: str = HOST, **replies: Reply) -> AsyncIterator[Server]:
    """The server, with these replies at the paths of their names."""
    server = Server({f"/{name}": reply for name, reply in replies.items()})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert(certificate, OTHER).configure_cert(context)
    context.sni_callback = lambda _, name, __: server.names.append(name)  # type: ignore[assignment]
    started = await asyncio.start_server(server.answer, LOOPBACK, 0, ssl=context)
    server.port = started.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        started.close()


def body(data: bytes, length: int | None = None) -> Reply:
    """A picture; ``length``: what the head claims instead."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (length or len(data)) + data)

    return reply


def redirect(location: str, status: int = 302) -> Reply:
    """A redirect, with a cookie."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        line = f"HTTP/1.1 {status} Found\r\nSet-Cookie: a=b\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        writer.write(line.encode())

    return reply


class Resolver:
    """Answers with each set of addresses in turn, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def settings(**changes: Any) -> Settings:
    """Settings that let pictures be fetched."""
    return Settings(**{"url_input": "on", "url_hosts": f"{HOST},{OTHER}", "url_seconds": 60, **changes})


def fetcher(server: Server, *answers: list[str], dead: Iterable[str] = (), **changes: Any) -> tuple[Fetcher, Network]:
    """A fetcher to whom names resolve to ``answers``, by turns; ``dead``: addresses where nobody is."""
    network = Network(server.port, dead)
    return Fetcher(settings(**changes), Resolver(*(answers or ([PUBLIC],))), network, TRUST), network


async def refusal(getter: Fetcher, path: str = "a", flow: str = "client") -> tuple[ErrorCode, dict[str, Any]]:
    """Code and details of the error of fetching ``path``."""
    with pytest.raises(FaunalensError) as caught:
        await getter.fetch(f"https://{HOST}/{path}", flow)
    return caught.value.code, caught.value.details
