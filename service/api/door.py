"""ASGI middleware in front of the routes: who is it, may they, and is there room?

It stands before the framework, so that a refusal costs little and reads no body. Who used which key is in the
request's log line: the key's id, never its text.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api import foreign, rules
from service.api.failures import respond
from service.api.observe import KEY_ID, ROUTE
from service.api.protocol import SURPLUS
from service.api.state import State
from service.errors import ErrorCode, FaunalensError
from service.keys.key import Key
from service.runtime.admission import Ticket
from service.settings import Settings

SESSION_HEADER = "X-Review-Session"
DEADLINE_HEADER = "X-Request-Deadline-Ms"
KEY_HEADER = "X-API-Key"
IDEMPOTENCY_HEADER = "Idempotency-Key"
_DEADLINE_NAME, _KEY_NAME = DEADLINE_HEADER.lower(), KEY_HEADER.lower()
RequestKey = Annotated[
    str | None,
    Header(
        alias=IDEMPOTENCY_HEADER, pattern=r"^[\x21-\x7e]{1,128}$",
        description="Names this request: sent again within a day, as after a lost answer, it is done once",
    ),
]  # fmt: skip
_WHOLE = re.compile(r"[1-9][0-9]{0,8}")
_VISIT = "faunalens.visit"
_KEY = "faunalens.key"


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a judgement that came in: its place, and the key it showed (None: keys are off).

    ``day``: the UTC day for which its first picture counts.
    """

    ticket: Ticket
    key: Key | None
    day: str = ""


def visit_of(request: Request) -> Visit:
    """How a request for a judgement came in."""
    visit: Visit = request.scope[_VISIT]
    return visit


def key_of(request: Request) -> Key | None:
    """The key that a request showed; None: keys are off."""
    key: Key | None = request.scope.get(_KEY)
    return key


class Door:
    """Checks keys (:mod:`service.keys.access`), lets requests for a judgement in (:mod:`service.runtime.admission`)."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or rules.is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        visit: Visit | None = None
        try:
            self._check_room(scope)
            foreign.check(scope, self.state.settings)
            key = await self._identify(scope)
            if scope["path"] in rules.JUDGING and scope["method"] == "POST":
                visit = scope[_VISIT] = self._enter(scope, key)
        except FaunalensError as error:
            if scope["path"] in rules.JUDGING:
                self.state.last_refusal = time.monotonic()
            await respond(Request(scope), error)(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            if visit:
                self.state.workers.admission.leave(visit.ticket)

    def _check_room(self, scope: Scope) -> None:
        """Raises ``overloaded`` when too many connections are open, except for who wants to know why."""
        if scope.get(SURPLUS) and scope["path"] != rules.METRICS:
            details = {"max_connections": self.state.settings.max_connections}
            raise FaunalensError(ErrorCode.OVERLOADED, "Too many connections are open; try again shortly.", details)

    async def _identify(self, scope: Scope) -> Key | None:
        if self.state.access is None:
            return None
        key = await self.state.access.allow(presented(Headers(scope=scope)), rules.scopes_for(scope["path"]))
        scope[KEY_ID] = key.id
        scope[_KEY] = key
        return key

    def _enter(self, scope: Scope, key: Key | None) -> Visit:
        scope[ROUTE] = scope["path"]
        seconds = seconds_to_deadline(Headers(scope=scope), self.state.settings)
        admission = self.state.workers.admission
        if key is None or self.state.access is None:
            return Visit(admission.enter(address_of(scope), seconds), None)
        day = self.state.access.allowances.take(key)
        try:
            return Visit(admission.enter(key.id, seconds), key, day)
        except FaunalensError:
            self.state.access.allowances.give_back(key, day)
            raise


def presented(headers: Mapping[str, str]) -> str:
    """The key's text: ``Authorization: Bearer`` first, then ``X-API-Key``; empty when there is none.

    ``headers`` by lower-case names.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else headers.get(_KEY_NAME, "")


def seconds_to_deadline(headers: Mapping[str, str], settings: Settings) -> float:
    """The client's wish, at most the setting; raises ``invalid_parameter``. ``headers`` by lower-case names."""
    given = headers.get(_DEADLINE_NAME)
    if given is None:
        return settings.deadline_ms / 1e3
    if not _WHOLE.fullmatch(given):
        message = f"{DEADLINE_HEADER} must be a whole number of milliseconds, 1 to 999999999."
        problems = [{"parameter": DEADLINE_HEADER, "problem": message}]
        raise FaunalensError(ErrorCode.INVALID_PARAMETER, message, {"problems": problems})
    return min(settings.deadline_ms, int(given)) / 1e3


def flow_of(scope: Scope) -> str:
    """Whose request it is: the id of the key that it showed, or the address where keys are off."""
    key: Key | None = scope.get(_KEY)
    return key.id if key else address_of(scope)


def address_of(scope: Scope) -> str:
    """The address of the connection, as far as it has one."""
    client = scope.get("client")
    return client[0] if client else ""
