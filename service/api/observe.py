"""ASGI middleware: a request id, a log line, counts, latency and, if wanted, a trace for every request."""

import contextlib
import logging
import random
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.protocol import ANSWERED, SURPLUS
from service.api.rules import PROBES
from service.api.state import State
from service.errors import ErrorCode
from service.telemetry.metrics import Metrics

log = logging.getLogger("faunalens.request")
HEADER = "X-Request-ID"
_NAME = HEADER.lower()
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# where a request's scope keeps what several modules ask of it
REQUEST_ID, KEY_ID, ROUTE = "faunalens.request_id", "faunalens.key_id", "faunalens.route"
_NOTES = "faunalens.notes"


def note(scope: Scope, **fields: object) -> None:
    """Add fields to the request's log line: codes, verdicts and numbers, nothing that a client chose freely."""
    scope.setdefault(_NOTES, {}).update(fields)


def route_of(scope: Scope) -> str:
    """The path's template; ``other`` where no route matched: a path may hold what a client chose."""
    return str(scope.get(ROUTE) or getattr(scope.get("route"), "path", "other"))


def request_id_of(headers: Mapping[str, str]) -> str:
    """The client's ``X-Request-ID`` when it is well formed, else a new one. ``headers`` by lower-case names."""
    given = headers.get(_NAME, "")
    # no secret; the system's random numbers would cost a wait for the interpreter's lock
    return given if _ACCEPTED.fullmatch(given) else uuid.UUID(int=random.getrandbits(128), version=4).hex


@dataclass
class Observed:
    """One request as it is observed."""

    scope: Scope
    request_id: str
    started: float = field(default_factory=time.perf_counter)
    status: int = 500

    @property
    def route(self) -> str:
        return route_of(self.scope)

    @property
    def method(self) -> str:
        return self.scope["method"] if self.scope["method"] in _METHODS else "other"

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def fields(self) -> dict[str, Any]:
        """The log line."""
        known = {
            "request_id": self.request_id, "method": self.method, "route": self.route, "status": self.status,
            "total_ms": round(self.seconds * 1e3, 2),
        }  # fmt: skip
        key = self.scope.get(KEY_ID)
        return {**known, **({"key": key} if key else {}), **self.scope.get(_NOTES, {})}


class Observe:
    """Takes the client's ``X-Request-ID`` when it is well formed, makes one otherwise, and returns it as a header."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = scope[REQUEST_ID] = request_id_of(headers)
        seen = Observed(scope, request_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                answer = MutableHeaders(scope=message)
                answer[HEADER] = request_id
                # a surplus connection with a body is closed by the protocol, once the body is in
                if self.state.draining or (scope.get(SURPLUS) and scope["method"] in ("GET", "HEAD")):
                    answer["Connection"] = "close"
            await send(message)

        tracing = self.state.tracing
        with tracing.request(headers) if tracing else contextlib.nullcontext() as span:
            try:
                await self.app(scope, receive, send_with_id)
            except Exception:
                # it is answered outside of this, after the line was written
                note(scope, code=ErrorCode.INTERNAL_ERROR.code)
                raise
            finally:
                if answered := scope.get(ANSWERED):
                    seen.status = answered.status
                    note(scope, code=answered.code)
                record(self.state.metrics, seen)
                if tracing and span:
                    tracing.name(span, f"{seen.method} {seen.route}", seen.status, seen.fields())


def record(metrics: Metrics, seen: Observed) -> None:
    """Count a request that is over, and log it."""
    route = seen.route
    metrics.requests(seen.method, route, str(seen.status)).inc()
    metrics.request_seconds(route).observe(seen.seconds)
    level = logging.DEBUG if route in PROBES and seen.status < 500 else logging.INFO
    if log.isEnabledFor(level):
        log.log(level, "request", extra={"fields": seen.fields()})
