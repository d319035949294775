"""Refuses requests for a judgement by their head alone, before the framework runs.

At twenty times the load that a service can do, nineteen requests of twenty are refused, and what a refusal costs
decides how much is left for the pictures. So who would be refused at the door, because the service is full, the key is
used up, or there is none, is answered here for a fraction of the price, in the same words. Nothing is decided here:
requests that are let through meet the door, and so does everything out of the ordinary. Nor is anybody looked at here
who comes more than a second after the last refusal: most services refuse nobody most of the time.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from starlette.types import Scope

from service.api import rules
from service.api.door import address_of, presented, seconds_to_deadline
from service.api.failures import extra_headers
from service.api.headers import LINES
from service.api.observe import HEADER, KEY_ID, ROUTE, Observed, log, note, request_id_of
from service.api.state import State
from service.errors import FaunalensError
from service.keys.key import Key

_ALERT = 1.0
# from the head of a photo of some 100 kB until it joins the line; seconds
_MOMENT = 0.005
# nothing that is said of a refusal has these in it
_PLACE, _COUNT = "<request id>", "<length>"
_PATHS = {path.encode(): path for path in rules.JUDGING}
ASKED = "faunalens.asked"
"""In the scope of a request that was refused: what it asked; for :meth:`Turnstile.again`."""


@dataclass(slots=True)
class Asked:
    """What a head asks. ``headers`` by lower-case names.

    ``key``: the known one that it shows and that may come in here, as long as the keys in force are of ``version``.
    """

    path: str
    headers: Mapping[str, str]
    key: Key | None = None
    version: int = 0


class Words(NamedTuple):
    """A refusal but for its request id. ``lines``: from the second header on, with places for id, length and id.

    ``length``: of the body without the id, bytes. ``counted``: is told how many seconds one took.
    """

    status: int
    code: str
    length: int
    lines: bytes
    counted: Callable[[float], None]


class Turnstile:
    """Looks at heads for a server's protocol; see :class:`service.api.protocol.GuardedProtocol`."""

    def __init__(self, state: State) -> None:
        self.state = state
        # as the framework's CORS says to requests without an origin
        self._always = f"{LINES}Vary: Origin\r\n" if state.settings.cors_origins else LINES
        # who was let through a moment ago and may not have joined the line yet, by flow
        self._coming: dict[str, int] = {}
        self._moment = 0.0
        # who refuses much says much the same: the last words are kept, and of what they were made
        self._said: object = None
        self._words: Words | None = None

    def refusal(self, url: bytes, scope: Scope) -> tuple[int, bytes] | None:
        """Status, and the rest of a whole response that keeps its connection; None: ask the application.

        ``scope`` has the method, the headers and the client of a request to ``url``.
        """
        path = _PATHS.get(url.partition(b"?")[0])
        if path is None or scope["method"] != "POST":
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}
        if self.state.settings.cors_origins and "origin" in headers:
            return None
        asked = scope[ASKED] = Asked(path, headers)
        return self.again(asked, "", scope["client"])

    def again(self, asked: Asked, request_id: str, client: tuple[str, int] | None) -> tuple[int, bytes] | None:
        """As :meth:`refusal`, of a request that differs from one before it in nothing but request id and body.

        ``request_id``: the client's, well formed; empty: as in the headers of what is ``asked``.
        """
        state, started = self.state, time.perf_counter()
        if state.draining or state.tracing or time.monotonic() > state.last_refusal + _ALERT:
            return None
        try:
            self._look(asked, client)
        except FaunalensError as error:
            return self._refused(asked, request_id or request_id_of(asked.headers), started, error)
        return None

    def count(self, code: str) -> None:
        """Count a refusal that the protocol made itself, of what is no whole request."""
        self.state.metrics.failures(code).inc()

    def _look(self, asked: Asked, client: tuple[str, int] | None) -> None:
        """Raises what the door would; what it alone can tell passes."""
        state = self.state
        if state.access is None:
            if not state.settings.trusted_proxies:
                seconds = seconds_to_deadline(asked.headers, state.settings)
                self._check_room(address_of({"client": client}), seconds)
            return
        ring = state.access.ring
        if asked.key is None or asked.version != ring.version:
            asked.key = None
            key = ring.known(presented(asked.headers))
            if key is None or not rules.scopes_for(asked.path) & key.scopes:
                return
            asked.key, asked.version = key, ring.version
        seconds = seconds_to_deadline(asked.headers, state.settings)
        state.access.allowances.check(asked.key)
        self._check_room(asked.key.id, seconds)

    def _check_room(self, flow: str, seconds: float) -> None:
        """Raises ``overloaded``. Who is let through counts as in line for a moment.

        Otherwise all that come before it has joined find the same place free, and are refused by the framework.
        """
        if (now := time.monotonic()) > self._moment:
            self._coming.clear()
            self._moment = now + _MOMENT
        coming = self._coming.get(flow, 0)
        self.state.workers.admission.check(flow, seconds, coming)
        self._coming[flow] = coming + 1

    def _refused(self, asked: Asked, request_id: str, started: float, error: FaunalensError) -> tuple[int, bytes]:
        self.state.last_refusal = time.monotonic()
        said = (asked.path, error.code, error.message, error.retry_after, error.details)
        if said != self._said or self._words is None:
            self._said, self._words = said, self._in_words(asked.path, error)
        words, name = self._words, request_id.encode()
        words.counted(time.perf_counter() - started)
        if log.isEnabledFor(logging.INFO):
            scope: Scope = {"method": "POST", ROUTE: asked.path, KEY_ID: asked.key and asked.key.id}
            note(scope, code=words.code)
            fields = Observed(scope, request_id, started, words.status).fields()
            log.info("request", extra={"fields": fields})
        return words.status, words.lines % (name, words.length + len(name), name)

    def _in_words(self, path: str, error: FaunalensError) -> Words:
        text = json.dumps({"error": error.to_dict(_PLACE)}, separators=(",", ":"))
        extra = "".join(f"{name}: {value}\r\n" for name, value in extra_headers(error).items())
        head = f"{extra}{HEADER}: {_PLACE}\r\ncontent-length: {_COUNT}\r\ncontent-type: application/json\r\n"
        whole = f"{head}{self._always}\r\n{text}".replace("%", "%%").replace(_PLACE, "%b").replace(_COUNT, "%d")
        status, code, metrics = error.code.status, error.code.code, self.state.metrics
        requests, seconds = metrics.requests("POST", path, str(status)), metrics.request_seconds(path)
        failures = metrics.failures(code)

        def counted(took: float) -> None:
            failures.inc()
            requests.inc()
            seconds.observe(took)

        return Words(status, code, len(text) - len(_PLACE), whole.encode(), counted)
