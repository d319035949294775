"""DNS rebinding, with a real name server: a name is public when it is checked, and this machine a moment later."""

import socket
from typing import Any

import httpcore2
import pytest

from service.errors import ErrorCode
from service.outbound.fetch import Fetcher
from tests.service.outbound.internet import (
    HOST,
    LOOPBACK,
    PUBLIC,
    TRUST,
    Server,
    body,
    redirect,
    refusal,
    serving,
    settings,
)
from tests.service.outbound.rebinding import rebinding

pytestmark = pytest.mark.anyio


class Internet(httpcore2.AnyIOBackend):
    """Carries connections to the public address to ``public``. All others go where the name leads by then: inside."""

    def __init__(self, public: Server, inside: Server) -> None:
        self.public = public
        self.inside = inside

    async def connect_tcp(self, host: str, port: int, *rest: Any, **options: Any) -> httpcore2.AsyncNetworkStream:
        if host == PUBLIC:
            return await super().connect_tcp(LOOPBACK, self.public.port, *rest, **options)
        return await super().connect_tcp(host, self.inside.port, *rest, **options)


async def test_a_name_that_rebinds_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(a=body(b"picture")) as public, serving(a=body(b"secret")) as inside:
        with rebinding(PUBLIC, LOOPBACK) as names:
            monkeypatch.setattr(socket, "getaddrinfo", names.resolver({HOST}))
            getter = Fetcher(settings(), network=Internet(public, inside), trust=TRUST)
            assert await getter.fetch(f"https://{HOST}/a", "client") == b"picture"
            assert names.asked == [HOST], "asked once"
            assert await refusal(getter) == (ErrorCode.URL_NOT_ALLOWED, {"reason": "address"})
    assert len(public.requests) == 1 and inside.requests == []


async def test_a_name_that_rebinds_between_redirects_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(a=redirect("/secret")) as public, serving(secret=body(b"secret")) as inside:
        with rebinding(PUBLIC, LOOPBACK) as names:
            monkeypatch.setattr(socket, "getaddrinfo", names.resolver({HOST}))
            getter = Fetcher(settings(), network=Internet(public, inside), trust=TRUST)
            assert await refusal(getter) == (ErrorCode.URL_NOT_ALLOWED, {"reason": "address"})
            assert names.asked == [HOST, HOST]
    assert len(public.requests) == 1 and inside.requests == []


async def test_the_server_does_rebind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects by name after the check gets in: without the pinned socket the tests above would see this."""
    async with serving(a=body(b"picture")) as public, serving(a=body(b"secret")) as inside:
        with rebinding(PUBLIC, LOOPBACK) as names:
            monkeypatch.setattr(socket, "getaddrinfo", names.resolver({HOST}))
            monkeypatch.setattr("service.outbound.requests._Pinned", lambda network, _: network)
            getter = Fetcher(settings(), network=Internet(public, inside), trust=TRUST)
            assert await getter.fetch(f"https://{HOST}/a", "client") == b"secret"
