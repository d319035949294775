"""Refuses requests for a judgement by their head alone, before the framework runs.

At twenty times the load that a service can do, nineteen requests of twenty are refused, and what a refusal costs
decides how much is left for the pictures. So who would be refused at the door, because the service is full, the key is
used up, or there is none, is answered here for a fraction of the price, in the same words. Nothing is decided here:
requests that are let through meet the door, and so does everything out of the ordinary. Nor is anybody looked at here
who comes more than a second after the last refusal: most services refuse nobody most of the time.
"""

import json
import time
from collections.abc import Mapping

from starlette.types import Scope

from service.api import rules
from service.api.door import address_of, presented, seconds_to_deadline
from service.api.failures import extra_headers
from service.api.headers import LINES
from service.api.observe import HEADER, KEY_ID, ROUTE, Observed, note, record, request_id_of
from service.api.state import State
from service.errors import FaunalensError

_ALERT = 1.0
_PATHS = {path.encode(): path for path in rules.JUDGING}


class Turnstile:
    """Looks at heads for a server's protocol; see :class:`service.api.protocol.GuardedProtocol`."""

    def __init__(self, state: State) -> None:
        self.state = state
        # as the framework's CORS says to requests without an origin
        self._always = f"{LINES}Vary: Origin\r\n" if state.settings.cors_origins else LINES

    def refusal(self, url: bytes, scope: Scope) -> tuple[int, bytes] | None:
        """Status, and the rest of a whole response that keeps its connection; None: ask the application.

        ``scope`` has the method, the headers and the client of a request to ``url``.
        """
        path = _PATHS.get(url.partition(b"?")[0])
        if path is None or scope["method"] != "POST" or self.state.draining or self.state.tracing:
            return None
        if time.monotonic() > self.state.last_refusal + _ALERT:
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}
        if self.state.settings.cors_origins and "origin" in headers:
            return None
        seen = Observed(scope, request_id_of(headers))
        scope[ROUTE] = path
        try:
            self._look(path, scope, headers)
        except FaunalensError as error:
            return self._refused(seen, error)
        return None

    def count(self, code: str) -> None:
        """Count a refusal that the protocol made itself, of what is no whole request."""
        self.state.metrics.failures(code).inc()

    def _look(self, path: str, scope: Scope, headers: Mapping[str, str]) -> None:
        """Raises what the door would; what it alone can tell passes."""
        state = self.state
        if state.access is None:
            if not state.settings.trusted_proxies:
                state.workers.admission.check(address_of(scope), seconds_to_deadline(headers, state.settings))
            return
        key = state.access.ring.known(presented(headers))
        if key is None or not rules.scopes_for(path) & key.scopes:
            return
        scope[KEY_ID] = key.id
        seconds = seconds_to_deadline(headers, state.settings)
        state.access.allowances.check(key)
        state.workers.admission.check(key.id, seconds)

    def _refused(self, seen: Observed, error: FaunalensError) -> tuple[int, bytes]:
        self.state.last_refusal = time.monotonic()
        seen.status = error.code.status
        self.state.metrics.failures(error.code.code).inc()
        note(seen.scope, code=error.code.code)
        record(self.state.metrics, seen)
        body = json.dumps({"error": error.to_dict(seen.request_id)}, separators=(",", ":")).encode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in extra_headers(error).items())
        head = (
            f"{extra}{HEADER}: {seen.request_id}\r\ncontent-length: {len(body)}\r\n"
            f"content-type: application/json\r\n{self._always}\r\n"
        )
        return seen.status, head.encode() + body
