"""A new batch, ``POST /v1/batches``."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.api.batch_info import KEYED, BatchInfo, shown
from service.api.bodies import BINARY, FILES, MULTIPART
from service.api.door import RequestKey, flow_of, key_of
from service.api.failures import error_docs
from service.api.incoming import ARCHIVES, MANIFESTS, gather
from service.api.observe import note
from service.api.rules import BATCHES
from service.api.state import State, bulk_of, state_of
from service.bulk.bulk import Bulk
from service.bulk.gathering import Gathering
from service.bulk.webhooks import target
from service.errors import ErrorCode, FaunalensError
from service.keys.key import Key, Scope
from service.sanitise import storable
from service.store.batches import NewBatch
from service.store.states import BatchState
from service.store.tables import LISTING_LENGTH, URL_LENGTH, Batch

router = APIRouter(prefix=BATCHES, tags=["batches"])
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {MULTIPART: FILES, **dict.fromkeys((*ARCHIVES, *MANIFESTS), BINARY)},
    }
}
_LOCATION = {"Location": {"description": "The batch's address here", "required": True, "schema": {"type": "string"}}}


@router.post(
    "",
    status_code=202,
    openapi_extra=_BODY,
    responses={
        202: {"headers": _LOCATION},
        **error_docs(
            *KEYED, ErrorCode.INVALID_PARAMETER, ErrorCode.UNKNOWN_POLICY, ErrorCode.NOT_READY, ErrorCode.NO_IMAGE,
            ErrorCode.MALFORMED_BODY, ErrorCode.CORRUPT_ARCHIVE, ErrorCode.TOO_MANY_BYTES, ErrorCode.TOO_MANY_FILES,
            ErrorCode.UNSUPPORTED_CONTENT_TYPE, ErrorCode.URL_NOT_ALLOWED, ErrorCode.WEBHOOK_NOT_ALLOWED,
            ErrorCode.QUOTA_EXCEEDED, ErrorCode.OVERLOADED, ErrorCode.REQUEST_TIMEOUT,
            ErrorCode.IDEMPOTENCY_KEY_REUSED,
        ),
    },
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
    idempotency_key: RequestKey = None,
) -> BatchInfo:
    """Take many pictures and judge them while nobody else waits.

    Send `multipart/form-data` with one file a picture, a zip (`application/zip`), a tar (`application/x-tar`, packed
    `application/gzip`), or, where FAUNALENS_URL_INPUT is on, a manifest in JSON lines (`application/jsonl`). The answer
    comes as soon as all is stored; what is answered with 202 survives a crash. Sent again with the same
    `Idempotency-Key` within a day, it is answered as before and makes no second batch.
    """
    state, key, bulk = state_of(request), key_of(request), bulk_of(request)
    if key and Scope.DETECT not in key.scopes:
        raise FaunalensError(ErrorCode.FORBIDDEN, "This needs a key with the scope detect.", {"scopes": ["detect"]})
    if webhook is not None:
        target(webhook, state.settings.webhook_hosts)
    owner, name = key.id if key else "", state.detector.policy(policy).name
    # what is sent again has been paid for
    known = idempotency_key is not None and await asyncio.to_thread(bulk.batches.is_known, owner, idempotency_key)
    payer = None if known else key
    if payer and state.access:
        state.access.allowances.check_pictures(payer)
    new = NewBatch(owner, name, storable(source), webhook, storable(listing_id), idempotency_key)
    with state.uploads.held(flow_of(request.scope), "Too many batches are coming in"):
        gathering = bulk.gather(new, folders_are_listings)
        try:
            await gather(request, bulk, gathering)
            give_back = _count(state, payer, len(gathering.entries))
        except BaseException:
            await asyncio.shield(asyncio.to_thread(gathering.drop))
            raise
        batch = await _keep(bulk, gathering, give_back)
    bulk.wake()
    note(request.scope, batch=batch.id, pictures=len(gathering.entries))
    response.headers["Location"] = f"{BATCHES}/{batch.id}"
    # as it was made: one that is sent again gets the first answer
    return shown(batch).model_copy(update={"state": BatchState.RUNNING, "finished": 0, "finished_at": None})


async def _keep(bulk: Bulk, gathering: Gathering, give_back: Callable[[], None]) -> Batch:
    """Make the batch; its pictures do not count for the quota if it cannot be made, or is there already."""
    try:
        batch = await asyncio.to_thread(gathering.keep, bulk.batches)
    except FaunalensError:
        give_back()
        raise
    if batch.id != gathering.batch.id:
        give_back()
    return batch


def _count(state: State, key: Key | None, pictures: int) -> Callable[[], None]:
    """Count for the quota, and say what undoes it; raises ``quota_exceeded``."""
    if state.access is None or key is None:
        return lambda: None
    allowances = state.access.allowances
    return partial(allowances.give_back_pictures, key, pictures, allowances.take_pictures(key, pictures))
