"""Deciding, at ``/v1/review``, and ``/v1/decisions``: the log of what was decided."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response, StreamingResponse

from service.api.bodies import LINES, lines_of
from service.api.cursor import pages
from service.api.door import RequestKey
from service.api.failures import error_docs
from service.api.observe import REQUEST_ID
from service.api.records import Decided, NoticedEntry, Undone, as_answer
from service.api.review import KEYED, WITH_BODY, ItemId, Window, moderator_of, reviews_of, shown
from service.api.state import bulk_of, state_of
from service.detector import Detector
from service.errors import ErrorCode, FaunalensError
from service.notices import notice
from service.store.decision_log import DecisionLog
from service.store.kinds import Kind
from service.store.tables import LARGEST

router = APIRouter(prefix="/v1", tags=["review"])
BatchId = Annotated[str, Field(max_length=32)]
_NOTICE = Query(description="Adds the notice for the uploader, in this language, to what is confirmed", max_length=35)
_DECIDING = (*WITH_BODY, ErrorCode.UNKNOWN_CATEGORY, ErrorCode.NOT_READY, ErrorCode.IDEMPOTENCY_KEY_REUSED)
_REFUSALS = (
    ErrorCode.UNKNOWN_ITEM, ErrorCode.ITEM_TAKEN, ErrorCode.ALREADY_DECIDED, ErrorCode.NOTHING_TO_UNDO,
    ErrorCode.SECOND_OPINION_NEEDED,
)  # fmt: skip


class NewDecision(BaseModel):
    """A decision. ``category``: what is confirmed; by default the strongest finding."""

    model_config = ConfigDict(extra="forbid")

    decision: Kind
    category: str | None = Field(None, min_length=1, max_length=64)


class OneDecision(NewDecision):
    """A decision about one photo, of ``batch_id`` if that is given."""

    batch_id: BatchId | None = None


class NewDecisions(NewDecision):
    """The same decision about many photos, of ``batches`` if those are given: one for each photo, in their order."""

    items: list[Annotated[int, Field(ge=0, le=LARGEST)]] = Field(min_length=1, max_length=500)
    batches: list[BatchId] | None = Field(None, min_length=1, max_length=500)

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if self.batches is not None and len(self.batches) != len(self.items):
            raise ValueError("batches must be as many as items")
        return self


@router.post(
    "/review/items/{item}/decision",
    response_class=Response,
    responses={
        **as_answer(NoticedEntry, "The entry of the log"),
        **error_docs(*_DECIDING, *_REFUSALS, ErrorCode.UNKNOWN_LANGUAGE),
    },
)
async def decide_item(
    request: Request, item: ItemId, new: OneDecision, window: Window = "", lang: Annotated[str | None, _NOTICE] = None,
    idempotency_key: RequestKey = None,
) -> Response:  # fmt: skip
    """Decide: confirm a category, reject, unsure, escalate, or undo your last decision about this photo.

    Sent again with the same `Idempotency-Key` within a day, it is answered with the same entry.
    """
    detector = state_of(request).detector
    detector.check_category(new.category)
    notices = {} if lang is None else _notices(detector, lang)
    made = await asyncio.to_thread(
        bulk_of(request).decisions.decide, item, moderator_of(request, window), new.decision, new.category,
        idempotency_key, new.batch_id,
    )  # fmt: skip
    return Response(made.with_notice("notice", notices), media_type="application/json")


@router.post("/review/decisions", responses={**as_answer(Decided, "What became of it"), **error_docs(*_DECIDING)})
async def decide_items(
    request: Request, new: NewDecisions, window: Window = "", idempotency_key: RequestKey = None
) -> dict[str, list[dict[str, Any]]]:
    """Decide the same about many photos at once: `entries` of the log, and `failures` with `item` and `error`.

    Sent again with the same `Idempotency-Key` within a day, `entries` has those of the first time.
    """
    state_of(request).detector.check_category(new.category)
    done = await asyncio.to_thread(
        bulk_of(request).decisions.decide_all, new.items, moderator_of(request, window), new.decision,
        new.category, idempotency_key, new.batches or (),
    )  # fmt: skip
    request_id = request.scope[REQUEST_ID]
    return {
        "entries": [made.fields for made in done if not isinstance(made, FaunalensError)],
        "failures": [
            {"item": item, "error": made.to_dict(request_id)}
            for item, made in zip(new.items, done, strict=True) if isinstance(made, FaunalensError)
        ],
    }  # fmt: skip


class Undo(BaseModel):
    """Nothing is needed."""

    model_config = ConfigDict(extra="forbid")


@router.post(
    "/review/undo",
    responses={
        **as_answer(Undone, "What was taken back"),
        **error_docs(*WITH_BODY, ErrorCode.NOTHING_TO_UNDO, ErrorCode.IDEMPOTENCY_KEY_REUSED),
    },
)
async def undo_last(
    request: Request, _: Undo, window: Window = "", idempotency_key: RequestKey = None
) -> dict[str, Any]:
    """Take back your latest decision that stands; answers with the `entry` of the log and the `item`, yours again.

    Sent again with the same `Idempotency-Key` within a day, it takes back no further one.
    """
    moderator = moderator_of(request, window)
    made = await asyncio.to_thread(bulk_of(request).decisions.undo_last, moderator, idempotency_key)
    item = await asyncio.to_thread(reviews_of(request).one, made.fields["item"])
    return {"entry": made.fields, "item": shown(item, moderator)}


@router.get(
    "/decisions",
    response_class=Response,
    responses={
        200: {"content": lines_of("NoticedEntry"), "description": "Entries of the log"},
        **error_docs(*KEYED, ErrorCode.UNKNOWN_LANGUAGE, ErrorCode.NOT_READY),
    },
)
async def list_decisions(
    request: Request,
    cursor: Annotated[int, Query(ge=0, le=LARGEST, description="`seq` of the last entry seen")] = 0,
    limit: Annotated[int | None, Query(ge=1)] = None,
    lang: Annotated[str | None, _NOTICE] = None,
) -> StreamingResponse:
    """The log of decisions as JSON lines, oldest first, undoings too; each with the hash that chains it."""
    log = DecisionLog(bulk_of(request).database)
    notices = {} if lang is None else _notices(state_of(request).detector, lang)
    found = await pages(log.page, cursor, limit)

    async def body() -> AsyncIterator[bytes]:
        async for entries in found:
            yield "".join(f"{entry.with_notice('notice', notices)}\n" for entry in entries).encode()

    return StreamingResponse(body(), media_type=LINES)


def _notices(detector: Detector, language: str) -> dict[str, str]:
    """The notice of every category, as JSON. Raises ``unknown_language``."""
    return {name: notice(detector.catalog, name, language).model_dump_json() for name in detector.contract.ids}
