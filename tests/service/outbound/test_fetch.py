"""Against a real TLS server on this machine; its name resolves to public addresses by a stand-in resolver."""

import asyncio

import pytest

from service import __version__
from service.errors import ErrorCode, FaunalensError
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
    assert f"User-Agent: faunalens/{__version__}".encode() in lines and b"Connection: close" in lines
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


async def test_what_is_named_is_checked_before_it_is_asked_for() -> None:
    getter = Fetcher(settings(), Resolver([PUBLIC]), Network(1), TRUST)
    with pytest.raises(FaunalensError) as caught:
        await getter.fetch("https://elsewhere.faunalens.test/a", "client")
    assert (caught.value.code, caught.value.details) == (ErrorCode.URL_NOT_ALLOWED, {"reason": "host"})


async def test_a_redirect_is_read_however_it_is_written() -> None:
    async def small(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nlocation: /a\r\nContent-Length: 0\r\n\r\n")

    async def latin(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /caf\xe9\r\nContent-Length: 0\r\n\r\n")

    async with serving(b=small, c=latin, a=body(b"picture")) as server:
        getter, _ = fetcher(server)
        assert await getter.fetch(f"https://{HOST}/b", "client") == b"picture"
        assert await refusal(getter, "c") == (ErrorCode.URL_NOT_ALLOWED, {"reason": "malformed"})


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


async def partial(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n\r\npict")


async def nowhere(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")


async def test_other_statuses_are_named() -> None:
    async with serving(a=redirect("/b", 404), b=redirect("/a", 304), c=nowhere, d=partial) as server:
        getter, _ = fetcher(server)
        assert await refusal(getter) == (ErrorCode.URL_UNREACHABLE, {"reason": "status", "status": 404})
        assert await refusal(getter, "b") == (ErrorCode.URL_UNREACHABLE, {"reason": "status", "status": 304})
        assert await refusal(getter, "c") == (ErrorCode.URL_UNREACHABLE, {"reason": "status", "status": 302})
        assert await refusal(getter, "d") == (ErrorCode.URL_UNREACHABLE, {"reason": "status", "status": 206})


async def test_few_at_once_of_which_one_client_leaves_some_to_others() -> None:
    async with serving(a=silent, b=body(b"picture")) as server:
        getter, _ = fetcher(server)
        greedy = [asyncio.create_task(getter.fetch(f"https://{HOST}/a", "greedy")) for _ in range(AT_ONCE)]
        refused, running = await asyncio.wait(greedy, return_when=asyncio.FIRST_COMPLETED)
        assert len(running) == AT_ONCE // 2 + 1 == 17
        for one in refused:
            assert isinstance(error := one.exception(), FaunalensError) and error.code is ErrorCode.OVERLOADED
        assert await getter.fetch(f"https://{HOST}/b", "other") == b"picture"
        for one in running:
            one.cancel()
        await asyncio.wait(running)
        assert await getter.fetch(f"https://{HOST}/b", "greedy") == b"picture"


async def test_each_piece_is_told_and_may_be_refused() -> None:
    async with serving(a=body(b"x" * 300_000)) as server:
        getter, _ = fetcher(server)
        told = list[int]()
        assert len(await getter.fetch(f"https://{HOST}/a", "one", told.append)) == sum(told) == 300_000

        def refuse(_: int) -> None:
            raise FaunalensError(ErrorCode.OVERLOADED, "Too many bytes are coming in; try again shortly.")

        with pytest.raises(FaunalensError) as caught:
            await getter.fetch(f"https://{HOST}/a", "one", refuse)
        assert caught.value.code is ErrorCode.OVERLOADED
