"""Against a real TLS server on this machine; its name resolves to public addresses by a stand-in resolver."""

import asyncio
import re
import socket
import threading
from typing import Any

import pytest

from service.errors import ErrorCode, FaunalensError
from service.outbound import requests as outbound
from service.outbound.fetch import AT_ONCE, Fetcher
from tests.service.outbound.internet import (
    HOST,
    LOOPBACK,
    OTHER,
    PUBLIC,
    TRUST,
    Network,
    Resolver,
    body,
    fetcher,
    redirect,
    refusal,
    serving,
    settings,
)

pytestmark = pytest.mark.anyio
PUBLIC_TOO, THIRD = "2606:4700::1", "8.8.8.8"


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


async def test_the_checked_address_with_the_name_in_tls_and_host() -> None:
    async with serving(a=body(b"picture")) as server:
        getter, network = fetcher(server)
        assert await getter.fetch(f"https://{HOST}/a", "client") == b"picture"
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
        assert await Fetcher(settings(), resolver, network, TRUST).fetch(f"https://{HOST}/a", "client") == b"picture"
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
        assert await getter.fetch(f"https://{HOST}/a", "client") == b"picture"
        assert network.asked == [(PUBLIC_TOO, 443), (PUBLIC, 443)]
        getter, network = fetcher(server, [PUBLIC_TOO, PUBLIC, THIRD], dead=[PUBLIC_TOO, PUBLIC])
        assert await getter.fetch(f"https://{HOST}/a", "client") == b"picture" and len(network.asked) == 3
        getter, _ = fetcher(server, [PUBLIC_TOO, PUBLIC], dead=[PUBLIC_TOO, PUBLIC])
        assert await refusal(getter) == (ErrorCode.URL_UNREACHABLE, {"reason": "connection"})


async def test_the_next_checked_address_when_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.outbound.requests._NEXT_SECONDS", 0.05)
    async with serving(a=body(b"picture")) as server:
        network = Network(server.port, silent=[PUBLIC_TOO])
        getter = Fetcher(settings(), Resolver([PUBLIC_TOO, PUBLIC]), network, TRUST)
        assert await getter.fetch(f"https://{HOST}/a", "client") == b"picture"
        assert network.asked == [(PUBLIC_TOO, 443), (PUBLIC, 443)]


async def test_the_last_address_has_the_whole_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.outbound.requests._NEXT_SECONDS", 0.0)
    async with serving(a=body(b"picture")) as server:
        getter, _ = fetcher(server)
        assert await getter.fetch(f"https://{HOST}/a", "client") == b"picture"


async def test_where_a_picture_is_from_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(secret=body(b"picture")) as server:
        getter, _ = fetcher(server)
        with caplog.at_level("DEBUG"):
            assert await getter.fetch(f"https://{HOST}/secret", "client") == b"picture"
    assert "secret" not in caplog.text and HOST not in caplog.text


async def test_three_redirects_and_no_fourth() -> None:
    replies = {"d": redirect("/c", 308), "c": redirect("b", 307), "b": redirect(f"https://{OTHER}/a", 301)}
    async with serving(**replies, e=redirect("/d", 303), a=body(b"picture")) as server:
        getter, network = fetcher(server)
        assert await getter.fetch(f"https://{HOST}/d", "client") == b"picture"
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
        assert len(await getter.fetch(f"https://{HOST}/d", "client")) == 200_000
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
    assert set(await outbound.SystemNames()("localhost")) <= {"127.0.0.1", "::1"}
    monkeypatch.setattr("service.outbound.locations._HOST", re.compile("localhost"))
    getter = Fetcher(settings(url_hosts="localhost"))
    with pytest.raises(FaunalensError) as caught:
        await getter.fetch("https://localhost/", "client")
    assert caught.value.details == {"reason": "address"}


async def test_a_name_whose_server_hangs_holds_up_no_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    end, asked = threading.Event(), list[str]()

    def answer(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        if host == "hanging.example":
            end.wait(30)
        return [(0, 0, 0, "", (PUBLIC, 443))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    names = outbound.SystemNames()
    waiting = [asyncio.ensure_future(names("hanging.example")) for _ in range(40)]
    try:
        await asyncio.sleep(0)
        waiting[0].cancel()
        async with asyncio.timeout(5):
            assert await names("other.example") == [PUBLIC]
    finally:
        end.set()
    assert await asyncio.gather(*waiting[1:]) == [[PUBLIC]] * 39
    assert sorted(asked) == ["hanging.example", "other.example"]
    assert await names("other.example") == [PUBLIC] and len(asked) == 3


async def test_a_name_server_that_hangs_holds_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()

    def hang(*_: Any, **__: Any) -> list[Any]:
        end.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    getter = Fetcher(settings())
    asked = [asyncio.create_task(getter.fetch(f"https://{HOST}/{i}", "client")) for i in range(20)]
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
        assert await getter.fetch(f"https://{HOST}/a", "client") == b"picture"
    assert network.asked == [(PUBLIC, 443)]


async def test_few_at_once_of_which_one_client_leaves_some_to_others() -> None:
    async with serving(a=silent, b=body(b"picture")) as server:
        getter, _ = fetcher(server)
        greedy = [asyncio.create_task(getter.fetch(f"https://{HOST}/a", "greedy")) for _ in range(AT_ONCE)]
        refused, running = await asyncio.wait(greedy, return_when=asyncio.FIRST_COMPLETED)
        assert len(running) == AT_ONCE // 2 + 1
        for one in refused:
            assert isinstance(error := one.exception(), FaunalensError) and error.code is ErrorCode.OVERLOADED
        assert await getter.fetch(f"https://{HOST}/b", "other") == b"picture"
        for one in running:
            one.cancel()
        await asyncio.wait(running)
        assert await getter.fetch(f"https://{HOST}/b", "greedy") == b"picture"
