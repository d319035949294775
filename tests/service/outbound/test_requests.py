"""Addresses, names and connections, against a real TLS server on this machine that stands for the internet."""

import asyncio
import gc
import re
import socket
import threading
from typing import Any

import httpcore2
import pytest

from service.errors import ErrorCode, FaunalensError
from service.outbound import requests as outbound
from service.outbound.fetch import Fetcher
from tests.service.outbound.internet import (
    HOST,
    PUBLIC,
    TRUST,
    Network,
    Resolver,
    body,
    fetcher,
    refusal,
    serving,
    settings,
)

pytestmark = pytest.mark.anyio
PUBLIC_TOO, THIRD = "2606:4700::1", "8.8.8.8"


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
    assert outbound._NEXT_SECONDS == 1.0, "as docs/settings.md says"
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


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), httpcore2.ConnectTimeout()])
async def test_whatever_stands_between_is_told_as_a_connection(error: Exception) -> None:
    class Broken(Network):
        async def connect_tcp(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
            raise error

    getter = Fetcher(settings(), Resolver([PUBLIC]), Broken(1), TRUST)
    assert await refusal(getter) == (ErrorCode.URL_UNREACHABLE, {"reason": "connection"})


async def test_a_resolver_that_fails_or_hangs() -> None:
    async def fails(_: str) -> list[str]:
        raise OSError("no such name")

    async def cannot_be_asked(_: str) -> list[str]:
        raise UnicodeError("label too long")

    async def hangs(_: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    assert await refusal(Fetcher(settings(), fails)) == (ErrorCode.URL_UNREACHABLE, {"reason": "name"})
    assert (await refusal(Fetcher(settings(), cannot_be_asked)))[1] == {"reason": "name"}
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
        async with asyncio.timeout(20):
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
        async with asyncio.timeout(20):
            await asyncio.to_thread(int)
    finally:
        end.set()
        assert all(isinstance(one, FaunalensError) for one in await asyncio.gather(*asked, return_exceptions=True))


async def test_a_name_that_fails_when_nobody_waits_any_more_is_nobodys_error(monkeypatch: pytest.MonkeyPatch) -> None:
    end, odd = threading.Event(), list[object]()

    def fail(*_: Any, **__: Any) -> list[Any]:
        end.wait(30)
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: odd.append(context))
    names = outbound.SystemNames()
    asked = asyncio.ensure_future(names("gone.example"))
    await asyncio.sleep(0)
    asked.cancel()
    end.set()
    async with asyncio.timeout(30):
        while names._asked:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    del asked
    gc.collect()
    assert not odd


async def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(a=body(b"picture")) as server:
        getter, network = fetcher(server)
        assert await getter.fetch(f"https://{HOST}/a", "client") == b"picture"
    assert network.asked == [(PUBLIC, 443)]
