"""Every failure leaves in one shape: ``{"error": {"code", "message", "request_id", "details"}}``."""

import logging
from collections.abc import Sequence
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Match

from service.answer import ErrorAnswer
from service.api.bodies import content_kind
from service.api.headers import SECURITY
from service.api.observe import HEADER, REQUEST_ID, note, route_of
from service.api.protocol import ANSWERED
from service.api.rules import READINESS
from service.api.state import state_of
from service.errors import ErrorCode, FaunalensError, reason_of

log = logging.getLogger("faunalens")
RETRY_SECONDS = 1
# what is wrong with a request is told in fewer bytes than it may have itself
_MOST_PROBLEMS, _MOST_LETTERS = 20, 200
_RETRY = {"Retry-After": {"description": "Seconds", "required": True, "schema": {"type": "integer", "minimum": 1}}}
_CHALLENGE = {"WWW-Authenticate": {"description": "Bearer", "required": True, "schema": {"type": "string"}}}
_HEADERS = {401: _CHALLENGE, 429: _RETRY, 503: _RETRY}


def error_docs(*codes: ErrorCode) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route, for the API page: error codes by status."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(code.status, []).append(code.code)
    return {
        status: {
            "model": ErrorAnswer, "description": ", ".join(names),
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        }
        for status, names in by_status.items()
    }  # fmt: skip


def respond(request: Request, error: FaunalensError) -> JSONResponse:
    """The response of an error, which is counted here, unless the server's protocol has refused the request meanwhile.

    A probe that is told to send nothing here is not counted either: nothing was refused.
    It carries the request id; 503 and 429 also ``Retry-After``, 401 ``WWW-Authenticate``.
    """
    request_id = request.scope.get(REQUEST_ID)
    refused = ANSWERED not in request.scope and request.scope["path"] != READINESS
    if refused or error.code is ErrorCode.INTERNAL_ERROR:
        state_of(request).metrics.failures(error.code.code).inc()
    note(request.scope, code=error.code.code)
    if error.code is ErrorCode.STORE_UNAVAILABLE and error.__cause__:
        note(request.scope, reason=reason_of(error.__cause__))
    headers = extra_headers(error)
    if request_id:
        # an unexpected error is answered outside the middleware that sets it
        headers[HEADER] = request_id
    return JSONResponse({"error": error.to_dict(request_id)}, error.code.status, headers)


def extra_headers(error: FaunalensError) -> dict[str, str]:
    """Headers that belong to an error's status."""
    if error.code.status in (429, 503):
        return {"Retry-After": str(error.retry_after or RETRY_SECONDS)}
    return {"WWW-Authenticate": "Bearer"} if error.code.status == 401 else {}


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(FaunalensError, _own)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _outside)


async def _own(request: Request, error: Exception) -> JSONResponse:
    return respond(request, cast(FaunalensError, error))


async def _validation(request: Request, error: Exception) -> JSONResponse:
    return respond(request, _invalid(cast(RequestValidationError, error).errors(), request))


def _invalid(found: Sequence[Any], request: Request) -> FaunalensError:
    """What the framework found wrong with parameters and bodies of JSON, which it leaves as bytes otherwise."""
    for problem in found:
        if problem["type"] == "json_invalid":
            details = {"reason": problem["ctx"]["error"], "position": problem["loc"][1]}
            return FaunalensError(ErrorCode.MALFORMED_BODY, "The body is not JSON.", details)
        if problem["loc"] == ("body",) and isinstance(problem["input"], bytes):
            kind = {"content_type": content_kind(request)[:100]}
            return FaunalensError(
                ErrorCode.UNSUPPORTED_CONTENT_TYPE, "Send JSON, with Content-Type: application/json.", kind
            )
    problems = [
        {"parameter": ".".join(map(str, problem["loc"]))[:_MOST_LETTERS], "problem": problem["msg"][:_MOST_LETTERS]}
        for problem in found[:_MOST_PROBLEMS]
    ]
    left_out = {"left_out": len(found) - len(problems)} if len(found) > len(problems) else {}
    message = "A parameter of the request is not valid."
    return FaunalensError(ErrorCode.INVALID_PARAMETER, message, {"problems": problems, **left_out})


async def _http(request: Request, error: Exception) -> JSONResponse:
    http = cast(HTTPException, error)
    if isinstance(http.__cause__, FaunalensError):
        # the framework reads bodies of JSON itself, and takes whatever goes wrong for its own 400
        return respond(request, http.__cause__)
    code = {404: ErrorCode.NOT_FOUND, 405: ErrorCode.METHOD_NOT_ALLOWED}.get(http.status_code, ErrorCode.MALFORMED_BODY)
    messages = {
        ErrorCode.NOT_FOUND: "There is nothing at this address.",
        ErrorCode.METHOD_NOT_ALLOWED: "This address does not take this method.",
        ErrorCode.MALFORMED_BODY: "The request cannot be read.",
    }
    response = respond(request, FaunalensError(code, messages[code]))
    response.headers.update(http.headers or {})
    if code is ErrorCode.METHOD_NOT_ALLOWED and (methods := _allowed(request)):
        response.headers["Allow"] = ", ".join(methods)
    return response


def _allowed(request: Request) -> list[str]:
    """The methods of this address; the framework names those of its first route. Empty: it belongs to a mounted app."""
    routes: list[BaseRoute] = request.app.routes
    # HEAD is taken where GET is
    seen = (("GET", "GET"), ("HEAD", "GET"), ("POST", "POST"), ("PUT", "PUT"), ("DELETE", "DELETE"))
    return [
        method
        for method, routed in seen
        if any(route.matches({**request.scope, "method": routed})[0] is Match.FULL for route in routes)
    ]


def unexpected(request: Request, error: Exception) -> JSONResponse:
    """The response of what nobody thought of, which is logged here."""
    where, named = route_of(request.scope), {"request_id": request.scope.get(REQUEST_ID)}
    log.error("unexpected %s at %s", type(error).__name__, where, exc_info=error, extra={"fields": named})
    return respond(request, FaunalensError(ErrorCode.INTERNAL_ERROR, "Something went wrong here; it was logged."))


async def _outside(request: Request, error: Exception) -> JSONResponse:
    """Of the middleware itself, or in the midst of an answer; what goes wrong before it is answered further inside."""
    response = unexpected(request, error)
    response.headers.update(SECURITY)
    return response
