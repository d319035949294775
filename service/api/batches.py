"""``/v1/batches``: which there are, how far they are, cancelling."""

import asyncio
import math
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from service.api.batch_info import KEYED, READ, BatchId, BatchInfo, BatchStatus, owner_of, shown, shown_status
from service.api.door import key_of
from service.api.failures import error_docs
from service.api.rules import BATCHES
from service.api.state import bulk_of
from service.errors import ErrorCode, FaunalensError

router = APIRouter(prefix=BATCHES, tags=["batches"])


class BatchList(BaseModel):
    """Batches, the newest first."""

    batches: tuple[BatchInfo, ...]
    next_before: float | None = Field(description="`before` of the next page; null: this is the last")


@router.get("", responses=error_docs(*KEYED, ErrorCode.INVALID_PARAMETER))
async def list_batches(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[float | None, Query(description="next_before of the page before", allow_inf_nan=False)] = None,
) -> BatchList:
    """Own batches, the newest first; with the scope `review` everybody's."""
    bulk = bulk_of(request)
    # without an end, because a clock that was put back leaves batches of the time to come
    end = math.inf if before is None else before
    found = await asyncio.to_thread(bulk.batches.newest, owner_of(request), limit + 1, end)
    page = found[:limit]
    last = page[-1].created_at if len(found) > limit else None
    return BatchList(batches=tuple(shown(batch) for batch in page), next_before=last)


@router.get("/{batch_id}", responses=READ)
async def batch_status(request: Request, batch_id: BatchId) -> BatchStatus:
    """Counts, rate and the time until the end."""
    return shown_status(await asyncio.to_thread(bulk_of(request).batches.status, batch_id, owner_of(request)))


@router.post("/{batch_id}:cancel", responses={**READ, **error_docs(ErrorCode.BATCH_ENDED)})
async def cancel_batch(request: Request, batch_id: BatchId) -> BatchStatus:
    """Judge no further picture; results that are there stay. Only whoever made the batch may do so."""
    bulk, key = bulk_of(request), key_of(request)
    owner = key.id if key else None
    await asyncio.to_thread(bulk.batches.get, batch_id, owner)
    if not await asyncio.to_thread(bulk.batches.cancel, batch_id):
        raise FaunalensError(ErrorCode.BATCH_ENDED, "The batch has ended already.")
    return shown_status(await asyncio.to_thread(bulk.batches.status, batch_id, owner))
