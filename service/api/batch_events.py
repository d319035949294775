"""Progress of a batch as server-sent events, ``GET /v1/batches/{id}/events``."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from service.api.batch_info import KEYED, BatchId, owner_of, shown_status
from service.api.bodies import TEXT
from service.api.door import flow_of
from service.api.failures import error_docs
from service.api.rules import BATCHES
from service.api.state import State, bulk_of, state_of
from service.errors import ErrorCode, FaunalensError
from service.store.progress import Progress, Status

router = APIRouter(prefix=BATCHES, tags=["batches"])
_EVENT_SECONDS, _KEEP_ALIVE_SECONDS = 0.5, 15.0


@router.get(
    "/{batch_id}/events",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": TEXT}, "description": "Progress as it is made"},
               **error_docs(*KEYED, ErrorCode.UNKNOWN_BATCH, ErrorCode.INVALID_PARAMETER, ErrorCode.OVERLOADED)},
)  # fmt: skip
async def batch_events(request: Request, batch_id: BatchId) -> StreamingResponse:
    """Server-sent events: `progress` with the batch's status whenever it changes, at last `finished`.

    At most 64 clients watch at a time; more get `overloaded`, and may ask for the status now and then.
    """
    state = state_of(request)
    progress = bulk_of(request).batches.watch(batch_id, owner_of(request))
    first = await asyncio.to_thread(progress.look)
    place = contextlib.ExitStack()
    place.enter_context(state.watchers.held(flow_of(request.scope), "Too many batches are being watched"))
    # nginx would keep the events back until it has four kilobytes of them
    headers = {"X-Accel-Buffering": "no"}
    return _Watched(place, _events(state, progress, first), headers=headers, media_type="text/event-stream")


class _Watched(StreamingResponse):
    """Gives ``place`` back at its end, whether or not anything of it was sent."""

    def __init__(self, place: contextlib.ExitStack, events: AsyncIterator[bytes], **kind: Any) -> None:
        super().__init__(events, **kind)
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place:
            await super().__call__(scope, receive, send)


async def _events(state: State, progress: Progress, status: Status) -> AsyncIterator[bytes]:
    told, spoken = "", time.monotonic()
    while not state.draining:
        data = shown_status(status).model_dump_json()
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
        # while the store is away there is nothing new
        with contextlib.suppress(FaunalensError):
            status = await asyncio.to_thread(progress.look)
