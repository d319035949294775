"""Fetches a picture from a URL, through :mod:`service.outbound.requests`; every redirect is checked like the URL."""

import asyncio
import ssl
from collections.abc import Callable

import httpcore2

from service.errors import ErrorCode, FaunalensError
from service.outbound.locations import Location, parse
from service.outbound.requests import Outbound, Resolve, unreachable
from service.runtime.slots import Slots
from service.settings import Settings

MAX_REDIRECTS = 3
AT_ONCE = 32
_REDIRECTS = (301, 302, 303, 307, 308)
Hold = Callable[[int], None]
_HEADERS = (("Accept", "image/*"), ("Accept-Encoding", "identity"))


class Fetcher:
    """Fetches pictures, at most :data:`AT_ONCE` at a time, of which one flow leaves some to the others.

    ``resolve`` (name to addresses), ``network`` (opens sockets to an address) and ``trust`` (certificates) are those of
    the system unless given.
    """

    def __init__(
        self,
        settings: Settings,
        resolve: Resolve | None = None,
        network: httpcore2.AsyncNetworkBackend | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._outbound = Outbound(resolve, network, trust)
        self._places = Slots(AT_ONCE)

    async def fetch(self, url: str, flow: str, hold: Hold | None = None) -> bytes:
        """The bytes behind ``url``. ``flow``: for whom, see :mod:`service.runtime.slots`; ``hold``: is told of each
        piece how many bytes it has, and may refuse it.

        Raises ``url_not_allowed``, ``url_unreachable``, ``url_too_slow``, ``too_many_bytes``, ``overloaded``.
        """
        with self._places.held(flow, "Too many pictures are being fetched"):
            try:
                async with asyncio.timeout(self._settings.url_seconds):
                    return await self._follow(parse(url, self._settings.url_hosts), hold)
            except TimeoutError as error:
                details = {"seconds": self._settings.url_seconds}
                raise FaunalensError(ErrorCode.URL_TOO_SLOW, "The picture did not arrive in time.", details) from error

    async def _follow(self, location: Location, hold: Hold | None) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            async with self._outbound.request("GET", location, _HEADERS) as response:
                if response.status == 200:
                    return await self._read(response, hold)
                reference = _reference(response)
                if response.status not in _REDIRECTS or reference is None:
                    raise unreachable("status", status=response.status)
            location = location.follow(reference, self._settings.url_hosts)
        raise unreachable("redirects")

    async def _read(self, response: httpcore2.Response, hold: Hold | None) -> bytes:
        most = self._settings.max_bytes
        data = bytearray()
        async for chunk in response.aiter_stream():
            if hold:
                hold(len(chunk))
            data += chunk
            if len(data) > most:
                raise FaunalensError(
                    ErrorCode.TOO_MANY_BYTES, f"The image has more than {most} bytes.", {"max_bytes": most}
                )
        if not data:
            raise FaunalensError(ErrorCode.EMPTY_IMAGE, "The address answered without bytes.")
        return bytes(data)


def _reference(response: httpcore2.Response) -> str | None:
    """Where a redirect leads, as it is written there."""
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == b"location"), None)
