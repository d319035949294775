"""Sends webhooks: signed, tried again with growing pauses, never to an address that may not be reached.

The signature is that of Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over id, time and body. The
id stays the same over all tries, so a receiver can leave out what it has seen; the time lets it refuse old ones.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
import random
from collections.abc import Sequence

from service.errors import ErrorCode, FaunalensError
from service.locations import Location, parse
from service.outbound import Outbound
from service.store.clock import now
from service.store.outbox import Due, Outbox

log = logging.getLogger("faunalens.webhooks")
TRIES = 15
_FIRST_SECONDS, _LONGEST_SECONDS = 5.0, 6 * 3600.0
_ANSWER_SECONDS, _LEASE_SECONDS, _LOOK_SECONDS = 10.0, 60.0, 0.5
_AT_ONCE = 8
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


def pause(attempts: int) -> float:
    """Seconds until the next try: doubling from 5 seconds to six hours, give or take a fifth."""
    return min(_FIRST_SECONDS * 2.0 ** (attempts - 1), _LONGEST_SECONDS) * random.uniform(0.8, 1.2)


class Webhooks:
    """Works through the outbox. ``secret``: bytes that sign; ``hosts``: where webhooks may go."""

    def __init__(self, outbox: Outbox, outbound: Outbound, hosts: Sequence[str], secret: bytes) -> None:
        self._outbox = outbox
        self._outbound = outbound
        self._hosts = hosts
        self._secret = secret

    async def run(self) -> None:
        """Send what is due until cancelled."""
        while True:
            try:
                sent = await self.send_due()
            except FaunalensError as error:
                log.error("webhooks wait: %s", error.message)
                sent = 0
            if not sent:
                await asyncio.sleep(_LOOK_SECONDS)

    async def send_due(self) -> int:
        """Try everything that is due once, a few at a time; returns how many."""
        due = await asyncio.to_thread(self._take)
        await asyncio.gather(*(self._send(one) for one in due))
        return len(due)

    def _take(self) -> list[Due]:
        return self._outbox.take(_AT_ONCE, _LEASE_SECONDS) if self._outbox.any_due() else []

    async def _send(self, due: Due) -> None:
        status = await self._post(due)
        if status is not None and 200 <= status < 300:
            await asyncio.to_thread(self._outbox.delivered, due.id)
        elif status == _GONE or due.attempts >= TRIES:
            log.error("webhook %s: given up after %d tries, last status %s", due.id, due.attempts, status)
            await asyncio.to_thread(self._outbox.abandon, due.id)
        else:
            seconds = pause(due.attempts)
            log.warning("webhook %s: status %s, again in %.0f seconds", due.id, status, seconds)
            await asyncio.to_thread(self._outbox.again, due.id, seconds)

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
