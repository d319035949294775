"""Requests to a URL that somebody else named, without letting it choose what this machine talks to.

The name is resolved once; every address found must be global; the socket is opened to the checked address while TLS
and ``Host`` carry the name. So a name that resolves differently a moment later (DNS rebinding) gains nothing. httpcore2
reads no environment, follows no redirect, keeps no cookie and decodes no content.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpcore2

from service import __version__
from service.errors import ErrorCode, FaunalensError
from service.outbound.addresses import is_global
from service.outbound.locations import PORT, Location, refuse

Resolve = Callable[[str], Awaitable[list[str]]]
Headers = Iterable[tuple[str, str]]
# of their own: a name server that hangs must not take the threads that all else is done on
_RESOLVERS = ThreadPoolExecutor(8, thread_name_prefix="names")
_NEXT_SECONDS = 1.0
# it would write hosts and paths at level debug
logging.getLogger("httpcore2").setLevel(logging.WARNING)


class Outbound:
    """Opens one connection a request.

    ``resolve`` (name to addresses), ``network`` (opens sockets to an address) and ``trust`` (certificates) are those of
    the system unless given.
    """

    def __init__(
        self,
        resolve: Resolve | None = None,
        network: httpcore2.AsyncNetworkBackend | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._resolve = resolve or SystemNames()
        self._network = network or httpcore2.AnyIOBackend()
        self._trust = trust or ssl.create_default_context()

    @contextlib.asynccontextmanager
    async def request(
        self, method: str, location: Location, headers: Headers, content: bytes | None = None
    ) -> AsyncIterator[httpcore2.Response]:
        """The response, whose body is not read yet; raises ``url_not_allowed`` or ``url_unreachable``.

        The caller sets the time limit.
        """
        pinned = _Pinned(self._network, await self._checked_addresses(location.host))
        url = httpcore2.URL(scheme="https", host=location.host, port=PORT, target=location.target)
        own = [("Host", location.host), ("User-Agent", f"faunalens/{__version__}"), ("Connection", "close")]
        async with httpcore2.AsyncHTTPConnection(url.origin, self._trust, network_backend=pinned) as connection:
            try:
                async with connection.stream(method, url, headers=[*own, *headers], content=content) as response:
                    yield response
            except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError) as error:
                raise unreachable("connection") from error

    async def _checked_addresses(self, host: str) -> list[str]:
        try:
            addresses = await self._resolve(host)
        except (OSError, UnicodeError) as error:
            raise unreachable("name") from error
        if not addresses:
            raise unreachable("name")
        if not all(is_global(address) for address in addresses):
            refuse("address")
        return addresses


class _Pinned(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that were checked, whatever the name means by now.

    One that does not answer is left for the next after a second, so that it does not take all of the caller's time.
    """

    def __init__(self, network: httpcore2.AsyncNetworkBackend, addresses: list[str]) -> None:
        self._network = network
        self._addresses = addresses

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore2
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        for address in self._addresses[:-1]:
            with contextlib.suppress(httpcore2.ConnectError, TimeoutError):
                async with asyncio.timeout(_NEXT_SECONDS):
                    return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._network.connect_tcp(self._addresses[-1], port, timeout, local_address, socket_options)


def unreachable(reason: str, **details: int) -> FaunalensError:
    """The error of an address that did not answer as it should."""
    return FaunalensError(ErrorCode.URL_UNREACHABLE, "The picture could not be fetched.", {"reason": reason, **details})


class SystemNames:
    """Asks the system for addresses, once for all who want to know the same name at the moment.

    So a host whose name server hangs takes one thread, and not those that all other names are looked up on.
    """

    def __init__(self) -> None:
        self._asked: dict[str, asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str) -> list[str]:
        """The addresses of ``host``; raises :class:`OSError` and :class:`UnicodeError`."""
        asked = self._asked.get(host)
        if asked is None:
            asked = asyncio.get_running_loop().run_in_executor(_RESOLVERS, _addresses, host)
            self._asked[host] = asked
            asked.add_done_callback(partial(self._told, host))
        # who is tired of waiting leaves the others theirs
        return await asyncio.shield(asked)

    def _told(self, host: str, asked: "asyncio.Future[list[str]]") -> None:
        del self._asked[host]
        if not asked.cancelled():
            # perhaps nobody waits any more
            asked.exception()


def _addresses(host: str) -> list[str]:
    found = socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
