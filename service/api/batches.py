"""``/v1/batches``: bulk jobs. Imported only where ``FAUNALENS_BATCHES`` is on."""

import asyncio
import datetime
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from service.api.batch_results import COLUMNS, csv_lines, json_lines, row
from service.api.door import key_of
from service.api.failures import error_docs
from service.api.incoming import ARCHIVES, MANIFESTS, gather
from service.api.observe import note
from service.api.state import State, state_of
from service.bulk.bulk import Bulk
from service.bulk.gathering import Gathering
from service.bulk.manifest import clean
from service.bulk.webhooks import target
from service.errors import ErrorCode, FaunalensError
from service.keys import Key, Scope
from service.store.batches import NewBatch, Status
from service.store.clock import now
from service.store.results import page
from service.store.tables import LARGEST, LISTING_LENGTH, URL_LENGTH, Batch

router = APIRouter(prefix="/v1/batches", tags=["batches"])
_PAGE = 500
_UPLOADS = 4
WATCHERS = 64
_EVENT_SECONDS, _KEEP_ALIVE_SECONDS = 0.5, 15.0
_KEYED = (ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN, ErrorCode.STORE_UNAVAILABLE)
_READ = error_docs(*_KEYED, ErrorCode.UNKNOWN_BATCH, ErrorCode.INVALID_PARAMETER)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            },
            **dict.fromkeys((*ARCHIVES, *MANIFESTS), _BINARY),
        },
    }
}


class BatchInfo(BaseModel):
    """A batch."""

    id: str
    state: Literal["running", "done", "cancelled"]
    policy: str
    source: str
    total: int = Field(description="Pictures in it")
    finished: int = Field(description="Pictures that have a result, a failure counts")
    created_at: datetime.datetime
    finished_at: datetime.datetime | None


class BatchStatus(BatchInfo):
    """A batch with its counts."""

    counts: dict[str, int] = Field(description="waiting, running, clear, review, priority, failed, cancelled")
    rate: float | None = Field(description="Results a second over the last hundred; null: not known yet")
    eta_seconds: float | None = Field(description="Until the end at that rate; null: not known, or ended")


class BatchList(BaseModel):
    """Batches, the newest first."""

    batches: tuple[BatchInfo, ...]
    next_before: float | None = Field(description="`before` of the next page; null: this is the last")


@router.post(
    "",
    status_code=202,
    openapi_extra=_BODY,
    responses=error_docs(
        *_KEYED, ErrorCode.INVALID_PARAMETER, ErrorCode.UNKNOWN_POLICY, ErrorCode.NOT_READY, ErrorCode.NO_IMAGE,
        ErrorCode.MALFORMED_BODY, ErrorCode.CORRUPT_ARCHIVE, ErrorCode.TOO_MANY_BYTES, ErrorCode.TOO_MANY_FILES,
        ErrorCode.UNSUPPORTED_CONTENT_TYPE, ErrorCode.URL_NOT_ALLOWED, ErrorCode.WEBHOOK_NOT_ALLOWED,
        ErrorCode.QUOTA_EXCEEDED, ErrorCode.OVERLOADED, ErrorCode.REQUEST_TIMEOUT,
    ),
)  # fmt: skip
async def create_batch(
    request: Request,
    response: Response,
    policy: Annotated[str | None, Query(description="Name of a policy, see GET /v1/model", max_length=64)] = None,
    source: Annotated[str, Query(description="Where the pictures are from; kept", max_length=LISTING_LENGTH)] = "",
    listing_id: Annotated[
        str | None, Query(description="Your listing that the pictures are of", min_length=1, max_length=LISTING_LENGTH)
    ] = None,
    folders_are_listings: Annotated[
        bool, Query(description="Whether the folder that a file is in is named by its listing's id")
    ] = False,
    webhook: Annotated[
        str | None, Query(description="Where findings and the end are told, https://...", max_length=URL_LENGTH)
    ] = None,
) -> BatchInfo:
    """Take many pictures and judge them while nobody else waits.

    Send `multipart/form-data` with one file a picture, a zip (`application/zip`), a tar (`application/x-tar`, packed
    `application/gzip`), or, where FAUNALENS_URL_INPUT is on, a manifest in JSON lines (`application/jsonl`). The answer
    comes as soon as all is stored; what is answered with 202 survives a crash.
    """
    state, key = state_of(request), key_of(request)
    bulk = _bulk(state)
    if key and Scope.DETECT not in key.scopes:
        raise FaunalensError(ErrorCode.FORBIDDEN, "This needs a key with the scope detect.", {"scopes": ["detect"]})
    if webhook is not None:
        target(webhook, state.settings.webhook_hosts)
    name = state.detector.policy(policy).name
    new = NewBatch(key.id if key else "", name, clean(source) or "", webhook, clean(listing_id))
    async with _Upload(state):
        gathering = bulk.gather(new, folders_are_listings)
        try:
            await gather(request, bulk, gathering)
            await _keep(state, key, gathering)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(gathering.drop))
            raise
    bulk.wake()
    note(request.scope, batch=new.id, pictures=len(gathering.entries))
    response.headers["Location"] = f"{router.prefix}/{new.id}"
    batch = await asyncio.to_thread(bulk.batches.get, new.id, None)
    return BatchInfo(**_fields(batch))


@router.get("", responses=error_docs(*_KEYED, ErrorCode.INVALID_PARAMETER))
async def list_batches(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[float | None, Query(description="next_before of the page before")] = None,
) -> BatchList:
    """Own batches, the newest first; with the scope `review` everybody's."""
    bulk = _bulk(state_of(request))
    found = await asyncio.to_thread(bulk.batches.newest, _owner(request), limit, before or now() + 60)
    last = found[-1].created_at if len(found) == limit else None
    return BatchList(batches=tuple(BatchInfo(**_fields(batch)) for batch in found), next_before=last)


@router.get("/{batch_id}", responses=_READ)
async def batch_status(request: Request, batch_id: str) -> BatchStatus:
    """Counts, rate and the time until the end."""
    return _shown(await asyncio.to_thread(_bulk(state_of(request)).batches.status, batch_id, _owner(request)))


@router.get(
    "/{batch_id}/results",
    response_class=Response,
    responses={200: {"content": {"application/jsonl": {}, "text/csv": {}}, "description": "Results so far"}, **_READ},
)
async def batch_results(
    request: Request,
    batch_id: str,
    kind: Annotated[Literal["jsonl", "csv"], Query(alias="format")] = "jsonl",
    cursor: Annotated[int, Query(ge=0, le=LARGEST, description="`seq` of the last result seen")] = 0,
    limit: Annotated[int | None, Query(ge=1, description="Most results; default: all there are")] = None,
) -> StreamingResponse:
    """Results in the order in which they were written, while the batch runs and after.

    Ask again with the last `seq` as `cursor` for what came since: nothing is missed and nothing comes twice.
    """
    bulk = _bulk(state_of(request))
    await asyncio.to_thread(bulk.batches.get, batch_id, _owner(request))
    first = await asyncio.to_thread(page, bulk.database, batch_id, cursor, min(limit or _PAGE, _PAGE))
    render = csv_lines if kind == "csv" else json_lines
    media = "text/csv; charset=utf-8" if kind == "csv" else "application/jsonl"

    async def body() -> AsyncIterator[bytes]:
        if kind == "csv":
            yield row(COLUMNS)
        results, sent = first, 0
        while results:
            yield b"".join(render(results))
            sent += len(results)
            most = _PAGE if limit is None else min(_PAGE, limit - sent)
            if most <= 0:
                return
            results = await asyncio.to_thread(page, bulk.database, batch_id, results[-1].seq, most)

    return StreamingResponse(body(), media_type=media)


@router.get(
    "/{batch_id}/events",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Progress as it is made"},
               **error_docs(*_KEYED, ErrorCode.UNKNOWN_BATCH, ErrorCode.INVALID_PARAMETER, ErrorCode.OVERLOADED)},
)  # fmt: skip
async def batch_events(request: Request, batch_id: str) -> StreamingResponse:
    """Server-sent events: `progress` with the batch's status whenever it changes, at last `finished`.

    At most 64 clients watch at a time; more get `overloaded`, and may ask for the status now and then.
    """
    state, owner = state_of(request), _owner(request)
    bulk = _bulk(state)
    first = await asyncio.to_thread(bulk.batches.status, batch_id, owner)

    if state.watchers >= WATCHERS:
        raise FaunalensError(ErrorCode.OVERLOADED, "Too many batches are being watched; try again shortly.")
    return StreamingResponse(_events(state, batch_id, owner, first), media_type="text/event-stream")


async def _events(state: State, batch_id: str, owner: str | None, status: Status) -> AsyncIterator[bytes]:
    told, spoken = "", time.monotonic()
    state.watchers += 1
    try:
        while not state.draining:
            data = _shown(status).model_dump_json()
            ended = status.batch.state != "running" and not status.counts["running"]
            marks = json.dumps(status.counts)
            if ended or marks != told:
                told, spoken = marks, time.monotonic()
                yield f"event: {'finished' if ended else 'progress'}\ndata: {data}\n\n".encode()
            elif time.monotonic() - spoken > _KEEP_ALIVE_SECONDS:
                spoken = time.monotonic()
                yield b": still here\n\n"
            if ended:
                return
            await asyncio.sleep(_EVENT_SECONDS)
            status = await asyncio.to_thread(_bulk(state).batches.status, batch_id, owner)
    finally:
        state.watchers -= 1


@router.post("/{batch_id}:cancel", responses={**_READ, **error_docs(ErrorCode.BATCH_ENDED)})
async def cancel_batch(request: Request, batch_id: str) -> BatchStatus:
    """Judge no further picture; results that are there stay. Only whoever made the batch may do so."""
    bulk, key = _bulk(state_of(request)), key_of(request)
    owner = key.id if key else None
    await asyncio.to_thread(bulk.batches.get, batch_id, owner)
    if not await asyncio.to_thread(bulk.batches.cancel, batch_id):
        raise FaunalensError(ErrorCode.BATCH_ENDED, "The batch has ended already.")
    return _shown(await asyncio.to_thread(bulk.batches.status, batch_id, owner))


async def _keep(state: State, key: Key | None, gathering: Gathering) -> None:
    """Make the batch; its pictures count for the quota, unless it cannot be kept."""
    allowances, count = state.access.allowances if state.access else None, len(gathering.entries)
    if allowances and key:
        allowances.take_pictures(key, count)
    try:
        await asyncio.to_thread(gathering.keep, _bulk(state).batches)
    except FaunalensError:
        if allowances and key:
            allowances.take_pictures(key, -count)
        raise


class _Upload:
    """One of few batches that may come in at once; raises ``overloaded``."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def __aenter__(self) -> None:
        if self._state.uploads >= _UPLOADS:
            raise FaunalensError(ErrorCode.OVERLOADED, "Too many batches are coming in; try again shortly.")
        self._state.uploads += 1

    async def __aexit__(self, *_: object) -> None:
        self._state.uploads -= 1


def _bulk(state: State) -> Bulk:
    assert state.bulk is not None
    return state.bulk


def _owner(request: Request) -> str | None:
    """Whose batches may be seen; None: everybody's."""
    key = key_of(request)
    return None if key is None or Scope.REVIEW in key.scopes else key.id


def _fields(batch: Batch) -> dict[str, Any]:
    times = {"created_at": _time(batch.created_at), "finished_at": _time(batch.finished_at)}
    names = ("id", "state", "policy", "source", "total", "finished")
    return {**{name: getattr(batch, name) for name in names}, **times}


def _shown(status: Status) -> BatchStatus:
    eta = status.left / status.rate if status.rate and status.left else None
    rate = None if status.rate is None else round(status.rate, 3)
    return BatchStatus(
        **_fields(status.batch), counts=status.counts, rate=rate, eta_seconds=None if eta is None else round(eta, 1)
    )


def _time(seconds: float | None) -> datetime.datetime | None:
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.UTC)
