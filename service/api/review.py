"""``/v1/review`` and ``/v1/decisions``: photos with findings, and what people decide about them."""

import asyncio
import datetime
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from service.api.door import key_of
from service.api.failures import error_docs
from service.api.state import state_of
from service.bulk.bulk import Bulk
from service.detector import Detector
from service.errors import ErrorCode, FaunalensError
from service.notices import notice
from service.store.decisions import Decisions, Kind, Moderator
from service.store.reviews import ReviewItem, Reviews, Wanted, holder
from service.store.tables import LARGEST, LISTING_LENGTH

router = APIRouter(prefix="/v1", tags=["review"])
_PAGE = 500
_NOTICE = Query(description="Adds the notice for the uploader, in this language, to what is confirmed", max_length=16)
KEYED = (
    ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN, ErrorCode.STORE_UNAVAILABLE, ErrorCode.INVALID_PARAMETER,
)  # fmt: skip
_DECIDING = (*KEYED, ErrorCode.UNKNOWN_CATEGORY, ErrorCode.NOT_READY)
_REFUSALS = (
    ErrorCode.UNKNOWN_ITEM, ErrorCode.ITEM_TAKEN, ErrorCode.ALREADY_DECIDED, ErrorCode.NOTHING_TO_UNDO,
    ErrorCode.SECOND_OPINION_NEEDED,
)  # fmt: skip
State = Literal["open", "second", "unsure", "escalated", "decided"]
ItemId = Annotated[int, Path(ge=0, le=LARGEST)]
Window = Annotated[
    str,
    Header(
        alias="X-Review-Session", pattern="^[A-Za-z0-9]{0,16}$",
        description="Tells two windows of the same key apart: a claim is one window's",
    ),
]  # fmt: skip


class Filter(BaseModel):
    """Which photos. ``since`` and ``until``: when they were judged; times without a zone are UTC."""

    model_config = ConfigDict(extra="forbid")

    state: State = "open"
    category: str | None = Field(None, max_length=64)
    batch_id: str | None = Field(None, max_length=32)
    source: str | None = Field(None, max_length=LISTING_LENGTH)
    listing_id: str | None = Field(None, max_length=LISTING_LENGTH)
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None

    @property
    def wanted(self) -> Wanted:
        """The same, for the store."""
        return Wanted(
            self.state, self.category, self.batch_id, self.source, self.listing_id, _seconds(self.since),
            _seconds(self.until),
        )  # fmt: skip


class Page(Filter):
    """A page of the queue."""

    limit: int = Field(50, ge=1, le=500)
    offset: int = Field(0, ge=0, le=2**31)


class Claim(Filter):
    """Which photos to take. ``limit``: how many at most."""

    limit: int = Field(1, ge=1, le=100)


class Verdict(BaseModel):
    """A decision. ``category``: what is confirmed; by default the strongest finding."""

    model_config = ConfigDict(extra="forbid")

    decision: Kind
    category: str | None = Field(None, max_length=64)


class Verdicts(Verdict):
    """The same decision about many photos."""

    items: list[Annotated[int, Field(ge=0, le=LARGEST)]] = Field(min_length=1, max_length=500)


class Queue(BaseModel):
    """Photos: the fields of the results, with ``item``, ``state``, ``source``, who has taken them, and whether the
    photo is still kept."""

    items: list[dict[str, Any]]


@router.get("/review/queue", responses=error_docs(*KEYED))
async def review_queue(request: Request, page: Annotated[Page, Query()], window: Window = "") -> Queue:
    """Photos with findings by verdict, probability and age, the most pressing first; claimed ones too."""
    items = await asyncio.to_thread(reviews_of(request).queue, page.wanted, page.limit, page.offset)
    return Queue(items=[shown(item, moderator_of(request, window)) for item in items])


@router.post("/review/claims", responses=error_docs(*KEYED))
async def claim_items(request: Request, claim: Claim, window: Window = "") -> Queue:
    """Take the next photos: nobody else gets them until FAUNALENS_REVIEW_CLAIM_SECONDS have passed.

    What you have taken already comes again, prolonged.
    """
    moderator = moderator_of(request, window)
    items = await asyncio.to_thread(reviews_of(request).claim, moderator.id, claim.wanted, claim.limit, window)
    return Queue(items=[shown(item, moderator) for item in items])


@router.delete("/review/claims", status_code=204, responses=error_docs(*KEYED))
async def release_items(request: Request, window: Window = "") -> Response:
    """Give back everything that you have taken."""
    await asyncio.to_thread(reviews_of(request).release, moderator_of(request, window).id, window)
    return Response(status_code=204)


@router.post(
    "/review/items/{item}/decision", responses=error_docs(*_DECIDING, *_REFUSALS, ErrorCode.UNKNOWN_LANGUAGE),
    response_class=Response,
)  # fmt: skip
async def decide_item(
    request: Request, item: ItemId, verdict: Verdict, window: Window = "", lang: Annotated[str | None, _NOTICE] = None
) -> Response:
    """Decide: confirm a category, reject, unsure, escalate, or undo your last decision about this photo."""
    detector = state_of(request).detector
    detector.check_category(verdict.category)
    notices = _notices(detector, lang)
    made = await asyncio.to_thread(
        decisions_of(request).decide, item, moderator_of(request, window), verdict.decision, verdict.category
    )
    return Response(made.with_notice("notice", notices), media_type="application/json")


@router.post("/review/decisions", responses=error_docs(*_DECIDING))
async def decide_items(request: Request, verdicts: Verdicts, window: Window = "") -> dict[str, list[dict[str, Any]]]:
    """Decide the same about many photos at once: `entries` of the log, and `failures` with `item` and `error`."""
    state_of(request).detector.check_category(verdicts.category)
    done = await asyncio.to_thread(
        decisions_of(request).decide_all, verdicts.items, moderator_of(request, window), verdicts.decision,
        verdicts.category,
    )  # fmt: skip
    request_id = request.scope["faunalens.request_id"]
    return {
        "entries": [made.fields for made in done if not isinstance(made, FaunalensError)],
        "failures": [
            {"item": item, "error": made.to_dict(request_id)}
            for item, made in zip(verdicts.items, done, strict=True) if isinstance(made, FaunalensError)
        ],
    }  # fmt: skip


class Undo(BaseModel):
    """Nothing is needed."""

    model_config = ConfigDict(extra="forbid")


@router.post("/review/undo", responses=error_docs(*KEYED, ErrorCode.NOTHING_TO_UNDO))
async def undo_last(request: Request, _: Undo, window: Window = "") -> dict[str, Any]:
    """Take back your latest decision that stands; answers with the `entry` of the log and the `item`, yours again."""
    moderator = moderator_of(request, window)
    made = await asyncio.to_thread(decisions_of(request).undo_last, moderator)
    item = await asyncio.to_thread(reviews_of(request).one, made.fields["item"])
    return {"entry": made.fields, "item": shown(item, moderator)}


@router.get(
    "/decisions",
    response_class=Response,
    responses={
        200: {"content": {"application/jsonl": {}}, "description": "Entries of the log"},
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
    log, notices = decisions_of(request), {} if lang is None else _notices(state_of(request).detector, lang)
    first = await asyncio.to_thread(log.page, cursor, min(limit or _PAGE, _PAGE))

    async def body() -> AsyncIterator[bytes]:
        entries, sent = first, 0
        while entries:
            yield "".join(f"{entry.with_notice('notice', notices)}\n" for entry in entries).encode()
            sent += len(entries)
            most = _PAGE if limit is None else min(_PAGE, limit - sent)
            if most <= 0:
                return
            entries = await asyncio.to_thread(log.page, entries[-1].seq, most)

    return StreamingResponse(body(), media_type="application/jsonl")


def bulk_of(request: Request) -> Bulk:
    """The store and what works on it."""
    bulk = state_of(request).bulk
    assert bulk is not None
    return bulk


def reviews_of(request: Request) -> Reviews:
    """The queue."""
    return Reviews(bulk_of(request).database, state_of(request).settings.review_claim_seconds)


def decisions_of(request: Request) -> Decisions:
    """The log."""
    return bulk_of(request).decisions


def _notices(detector: Detector, language: str | None) -> dict[str, str]:
    """The notice of every category, as JSON; none where no language is asked for. Raises ``unknown_language``."""
    if language is None:
        return {}
    return {name: notice(detector.catalog, name, language).model_dump_json() for name in detector.contract.ids}


def moderator_of(request: Request, window: str = "") -> Moderator:
    """Who asks: the key's id, empty where keys are off."""
    key = key_of(request)
    return Moderator(key.id if key else "", window, state_of(request).settings.review_claim_seconds)


def shown(item: ReviewItem, moderator: Moderator) -> dict[str, Any]:
    """A photo as it is sent."""
    yours = item.claimed_until is not None and item.claimed_by == holder(moderator.id, moderator.session)
    return {
        **item.fields, "claimed_until": _time(item.claimed_until), "yours": yours, "photo": item.photo,
        "photo_until": _time(item.purge_at),
    }  # fmt: skip


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat()


def _seconds(time: datetime.datetime | None) -> float | None:
    if time is None:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=datetime.UTC)).timestamp()
