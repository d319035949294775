"""Sends webhooks: signed, tried again with growing pauses, never to an address that may not be reached.

The signature is that of Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over id, time and body. The
id stays the same over all tries, so a receiver can leave out what it has seen; the time lets it refuse old ones.
"""

import asyncio
import base64
import collections
import hashlib
import hmac
import logging
import random
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from prometheus_client import Counter

from service.errors import ErrorCode, FaunalensError, told
from service.outbound.locations import Location, parse
from service.outbound.requests import Outbound
from service.store.clock import now
from service.store.outbox import Due, Outbox

log = logging.getLogger("faunalens.webhooks")
TRIES = 15
_FIRST_SECONDS, _LONGEST_SECONDS = 5.0, 6 * 3600.0
_SPREAD = 0.2
_ANSWER_SECONDS, _LEASE_SECONDS, _LOOK_SECONDS, _AGAIN_SECONDS, _CATCH_UP_SECONDS = 10.0, 60.0, 0.5, 5.0, 60.0
_PLACES, _OF_ONE_HOST, _BITE = 32, 8, 4
_GONE = 410


def target(url: str, hosts: Sequence[str]) -> Location:
    """Where a webhook may be sent; raises ``webhook_not_allowed``."""
    try:
        return parse(url, hosts)
    except FaunalensError as error:
        message = "A webhook may not be sent to this address."
        raise FaunalensError(ErrorCode.WEBHOOK_NOT_ALLOWED, message, error.details) from error


def signature(secret: bytes, identity: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature``."""
    signed = b".".join((identity.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def pause(attempts: int, spread: float | None = None) -> float:
    """Seconds until the next try: doubling from 5 seconds to six hours, give or take a fifth: ``spread``, by default
    drawn."""
    spread = random.uniform(-_SPREAD, _SPREAD) if spread is None else spread
    return min(_FIRST_SECONDS * 2.0 ** (attempts - 1), _LONGEST_SECONDS) * (1 + spread)


LONGEST = tuple(max(_LEASE_SECONDS, pause(attempts, _SPREAD)) for attempts in range(TRIES + 1))
"""Seconds that a webhook may wait, by the number of its tries."""


class Webhooks:
    """Works through the outbox. ``secret``: bytes that sign; ``hosts``: where webhooks may go.

    ``sent`` counts by outcome: ``delivered``, ``refused`` (and sent again later), ``abandoned``.
    """

    def __init__(self, outbox: Outbox, outbound: Outbound, hosts: Sequence[str], secret: bytes, sent: Counter) -> None:
        self._outbox = outbox
        self._outbound = outbound
        self._hosts = hosts
        self._secret = secret
        self.sent = sent
        self._under_way = collections.Counter[str]()
        self._catch_up_at = 0.0

    async def run(self) -> None:
        """Send what is due until cancelled, each as soon as there is a place for it."""
        async with asyncio.TaskGroup() as sending:
            while True:
                pause = _AGAIN_SECONDS
                try:
                    pause = 0.0 if await self.start_due(sending) else _LOOK_SECONDS
                except Exception as error:
                    # what nobody thought of must not end it either: no webhook would be sent any more
                    known = isinstance(error, FaunalensError)
                    why = told(error) if isinstance(error, FaunalensError) else error
                    log.error("webhooks wait: %s", why, exc_info=not known)
                if pause:
                    await asyncio.sleep(pause)

    async def start_due(self, sending: asyncio.TaskGroup) -> int:
        """Begin to send a few of those that are due, as far as there are places; returns how many."""
        full = [host for host, count in self._under_way.items() if count > _OF_ONE_HOST - _BITE]
        places = min(_BITE, _PLACES - self._under_way.total())
        due = await asyncio.to_thread(self._take, places, full) if places > 0 else []
        for one in due:
            self._under_way[_host(one)] += 1
            sending.create_task(self._send(one))
        return len(due)

    def _take(self, places: int, full: Sequence[str]) -> list[Due]:
        if time.monotonic() >= self._catch_up_at:
            self._catch_up_at = time.monotonic() + _CATCH_UP_SECONDS
            self._outbox.catch_up(LONGEST)
        return self._outbox.take(places, _LEASE_SECONDS, full) if self._outbox.any_due(full) else []

    async def _send(self, due: Due) -> None:
        try:
            await asyncio.to_thread(self._settle, due, await self._post(due))
        except Exception as error:
            # it comes again when its lease ends
            log.error("webhook %s: unexpected %s", due.id, type(error).__name__)
        finally:
            self._under_way[_host(due)] -= 1

    def _settle(self, due: Due, status: int | None) -> None:
        if status is not None and 200 <= status < 300:
            self._outbox.delivered(due.id)
            self.sent.labels("delivered").inc()
        elif status == _GONE or due.attempts >= TRIES:
            log.error("webhook %s: given up after %d tries, last %s", due.id, due.attempts, _shown(status))
            self._outbox.abandon(due.id)
            self.sent.labels("abandoned").inc()
        else:
            seconds = pause(due.attempts)
            log.warning("webhook %s: %s, again in %.0f seconds", due.id, _shown(status), seconds)
            self._outbox.again(due.id, seconds)
            self.sent.labels("refused").inc()

    async def _post(self, due: Due) -> int | None:
        """The receiver's status; None when it could not be reached, or may not be."""
        body, timestamp = due.body.encode(), int(now())
        headers = (
            ("Content-Type", "application/json"), ("webhook-id", due.id), ("webhook-timestamp", str(timestamp)),
            ("webhook-signature", signature(self._secret, due.id, timestamp, body)),
        )  # fmt: skip
        try:
            async with (
                asyncio.timeout(_ANSWER_SECONDS),
                self._outbound.request("POST", target(due.url, self._hosts), headers, body) as response,
            ):
                return response.status
        except (FaunalensError, TimeoutError):
            return None


def _shown(status: int | None) -> str:
    return "no answer" if status is None else f"status {status}"


def _host(due: Due) -> str:
    return urlsplit(due.url).hostname or ""
