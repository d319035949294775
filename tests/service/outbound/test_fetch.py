"""Against a real TLS server on this machine; its name resolves to public addresses by a stand-in resolver."""

import asyncio
import re
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpcore2
import pytest
import trustme

from service.errors import ErrorCode, FaunalensError
from service.outbound import fetch
from service.outbound import requests as outbound
from service.outbound.fetch import Fetcher
from service.settings import Settings

pytestmark = pytest.mark.anyio
HOST, OTHER = "pictures.faunalens.test", "other.faunalens.test"
PUBLIC, PUBLIC_TOO, LOOPBACK = "93.184.216.34", "2606:4700::1", "127.0.0.1"
CA = trustme.CA()
TRUST = ssl.create_default_context()
CA.configure_trust(TRUST)
Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Network(httpcore2.AnyIOBackend):
    """Carries a connection to any address to the test's server; notes what was asked for."""

    def __init__(self, port: int, dead: Iterable[str] = ()) -> None:
        self.port = port
        self.dead = tuple(dead)
        self.asked: list[tuple[str, int]] = []

    async def connect_tcp(self, host: str, port: int, *rest: Any, **options: Any) -> httpcore2.AsyncNetworkStream:
        self.asked.append((host, port))
        if host in self.dead:
            raise httpcore2.ConnectError
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
    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (length or len(data)) + data)

    return reply


def redirect(location: str, status: int = 302) -> Reply:
    async def reply(writer: asyncio.StreamWriter) -> None:
        line = f"HTTP/1.1 {status} Found\r\nSet-Cookie: a=b\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        writer.write(line.encode())

    return reply


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    for _ in range(400):
        writer.write(bytes(65536))
        await writer.drain()
        await asyncio.sleep(0)


async def drip(writer: asyncio.StreamWriter) -> None:
    """Until the client hangs up."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def silent(writer: asyncio.StreamWriter) -> None:
    """Until the client hangs up."""
    while not writer.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


class Resolver:
    """Answers with each set of addresses in turn, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def settings(**changes: Any) -> Settings:
    return Settings(**{"url_input": "on", "url_hosts": f"{HOST},{OTHER}", "url_seconds": 60, **changes})


def fetcher(server: Server, *answers: list[str], dead: Iterable[str] = (), **changes: Any) -> tuple[Fetcher, Network]:
    network = Network(server.port, dead)
    return Fetcher(settings(**changes), Resolver(*(answers or ([PUBLIC],))), network, TRUST), network


async def refusal(getter: Fetcher, path: str = "a") -> tuple[ErrorCode, dict[str, Any]]:
    with pytest.raises(FaunalensError) as caught:
        await getter.fetch(f"https://{HOST}/{path}")
    return caught.value.code, caught.value.details


async def test_the_checked_address_with_the_name_in_tls_and_host() -> None:
    async with serving(a=body(b"picture")) as server:
        getter, network = fetcher(server)
        assert await getter.fetch(f"https://{HOST}/a") == b"picture"
    assert network.asked == [(PUBLIC, 443)]
    assert server.names == [HOST]
    lines = server.requests[0].split(b"\r\n")
    assert lines[0] == b"GET /a HTTP/1.1" and b"Host: " + HOST.encode() in lines
    assert b"Accept: image/*" in lines and b"Accept-Encoding: identity" in lines
    assert not any(line.lower().startswith((b"cookie", b"authorization", b"referer")) for line in lines)


async def test_a_name_that_rebinds_gains_nothing() -> None:
    """First public, then loopback: only the first answer is used, and the next hop is refused."""
    async with serving(a=body(b"picture"), b=redirect("/a")) as server:
        resolver = Resolver([PUBLIC], [LOOPBACK])
        network = Network(server.port)
        assert await Fetcher(settings(), resolver, network, TRUST).fetch(f"https://{HOST}/a") == b"picture"
        assert resolver.asked == [HOST] and network.asked == [(PUBLIC, 443)]
        getter, network = fetcher(server, [PUBLIC], [LOOPBACK])
        assert await refusal(getter, "b") == (ErrorCode.URL_NOT_ALLOWED, {"reason": "address"})
        assert network.asked == [(PUBLIC, 443)]


async def test_one_address_that_is_not_global_refuses_all() -> None:
    async with serving(a=body(b"picture")) as server:
        getter, network = fetcher(server, [PUBLIC, "::ffff:169.254.169.254"])
        assert await refusal(getter) == (ErrorCode.URL_NOT_ALLOWED, {"reason": "address"})
    assert network.asked == [] and server.requests == []


async def test_the_next_checked_address_when_one_is_dead() -> None:
    async with serving(a=body(b"picture")) as server:
        getter, network = fetcher(server, [PUBLIC_TOO, PUBLIC], dead=[PUBLIC_TOO])
        assert await getter.fetch(f"https://{HOST}/a") == b"picture"
        assert network.asked == [(PUBLIC_TOO, 443), (PUBLIC, 443)]
        getter, _ = fetcher(server, [PUBLIC_TOO, PUBLIC], dead=[PUBLIC_TOO, PUBLIC])
        assert await refusal(getter) == (ErrorCode.URL_UNREACHABLE, {"reason": "connection"})


async def test_three_redirects_and_no_fourth() -> None:
    replies = {"d": redirect("/c", 308), "c": redirect("b", 307), "b": redirect(f"https://{OTHER}/a", 301)}
    async with serving(**replies, e=redirect("/d", 303), a=body(b"picture")) as server:
        getter, network = fetcher(server)
        assert await getter.fetch(f"https://{HOST}/d") == b"picture"
        assert server.names == [HOST, HOST, HOST, OTHER] and len(network.asked) == 4
        assert not any(b"ookie" in request for request in server.requests)
        assert await refusal(getter, "e") == (ErrorCode.URL_UNREACHABLE, {"reason": "redirects"})


@pytest.mark.parametrize(
    ("location", "reason"),
    [("http://pictures.faunalens.test/a", "scheme"), ("https://evil.example/", "host"), ("https://127.0.0.1/", "host"),
     (f"https://{HOST}:8443/", "port"), (f"https://u:p@{HOST}/", "credentials")],
)  # fmt: skip
async def test_a_redirect_is_checked_again(location: str, reason: str) -> None:
    async with serving(b=redirect(location)) as server:
        getter, network = fetcher(server)
        assert await refusal(getter, "b") == (ErrorCode.URL_NOT_ALLOWED, {"reason": reason})
    assert len(network.asked) == 1


async def test_a_certificate_for_another_name_or_from_nobody() -> None:
    async with serving(certificate="elsewhere.faunalens.test", a=body(b"picture")) as server:
        getter, _ = fetcher(server)
        assert await refusal(getter) == (ErrorCode.URL_UNREACHABLE, {"reason": "connection"})
    async with serving(a=body(b"picture")) as server:
        strict = Fetcher(settings(), Resolver([PUBLIC]), Network(server.port))
        assert await refusal(strict) == (ErrorCode.URL_UNREACHABLE, {"reason": "connection"})
    assert server.requests == []


async def test_bytes_are_counted_on_the_stream() -> None:
    async with serving(a=endless, b=body(b"short", 5000), c=body(b""), d=body(bytes(200_000))) as server:
        getter, _ = fetcher(server, max_bytes=200_000)
        assert len(await getter.fetch(f"https://{HOST}/d")) == 200_000
        assert await refusal(getter) == (ErrorCode.TOO_MANY_BYTES, {"max_bytes": 200_000})
        assert await refusal(getter, "b") == (ErrorCode.URL_UNREACHABLE, {"reason": "connection"})
        assert (await refusal(getter, "c"))[0] is ErrorCode.EMPTY_IMAGE


async def test_one_deadline_for_all() -> None:
    async with serving(a=drip, b=silent) as server:
        getter, _ = fetcher(server, url_seconds=0.3)
        async with asyncio.timeout(60):
            assert await refusal(getter) == (ErrorCode.URL_TOO_SLOW, {"seconds": 0.3})
            assert (await refusal(getter, "b"))[0] is ErrorCode.URL_TOO_SLOW


async def test_a_resolver_that_fails_or_hangs() -> None:
    async def fails(_: str) -> list[str]:
        raise OSError("no such name")

    async def hangs(_: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    assert await refusal(Fetcher(settings(), fails)) == (ErrorCode.URL_UNREACHABLE, {"reason": "name"})
    assert await refusal(Fetcher(settings(), Resolver([]))) == (ErrorCode.URL_UNREACHABLE, {"reason": "name"})
    assert (await refusal(Fetcher(settings(url_seconds=0.2), hangs)))[0] is ErrorCode.URL_TOO_SLOW


async def test_the_system_resolver_is_refused_its_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(await outbound._system_resolve("localhost")) <= {"127.0.0.1", "::1"}
    monkeypatch.setattr("service.outbound.locations._HOST", re.compile("localhost"))
    getter = Fetcher(settings(url_hosts="localhost"))
    with pytest.raises(FaunalensError) as caught:
        await getter.fetch("https://localhost/")
    assert caught.value.details == {"reason": "address"}


async def test_a_name_server_that_hangs_holds_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()

    def hang(*_: Any, **__: Any) -> list[Any]:
        end.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    getter = Fetcher(settings())
    asked = [asyncio.create_task(getter.fetch(f"https://{HOST}/{i}")) for i in range(20)]
    try:
        await asyncio.sleep(0.1)
        async with asyncio.timeout(5):
            await asyncio.to_thread(int)
    finally:
        end.set()
        assert all(isinstance(one, FaunalensError) for one in await asyncio.gather(*asked, return_exceptions=True))


async def nowhere(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")


async def test_other_statuses_are_named() -> None:
    async with serving(a=redirect("/b", 404), b=redirect("/a", 304), c=nowhere) as server:
        getter, _ = fetcher(server)
        assert await refusal(getter) == (ErrorCode.URL_UNREACHABLE, {"reason": "status", "status": 404})
        assert await refusal(getter, "b") == (ErrorCode.URL_UNREACHABLE, {"reason": "status", "status": 304})
        assert await refusal(getter, "c") == (ErrorCode.URL_UNREACHABLE, {"reason": "status", "status": 302})


async def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(a=body(b"picture")) as server:
        getter, network = fetcher(server)
        assert await getter.fetch(f"https://{HOST}/a") == b"picture"
    assert network.asked == [(PUBLIC, 443)]


async def test_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "AT_ONCE", 1)
    async with serving(a=silent) as server:
        getter, _ = fetcher(server, url_seconds=1)
        first = asyncio.create_task(refusal(getter))
        await asyncio.sleep(0)
        assert getter._running == 1
        assert (await refusal(getter))[0] is ErrorCode.OVERLOADED
        assert (await first)[0] is ErrorCode.URL_TOO_SLOW
    assert getter._running == 0
