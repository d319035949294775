"""``/v1/review``: the queue of photos with findings, and who has taken which."""

import asyncio
import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.responses import Response

from service.api.door import SESSION_HEADER, key_of
from service.api.failures import error_docs
from service.api.records import ReviewItems, as_answer
from service.api.state import bulk_of, state_of
from service.errors import ErrorCode
from service.sanitise import storable
from service.store.clock import iso
from service.store.decisions import Moderator
from service.store.queues import Wanted
from service.store.reviews import ReviewItem, Reviews, holder
from service.store.states import ReviewState
from service.store.tables import LARGEST, LISTING_LENGTH

router = APIRouter(prefix="/v1", tags=["review"])
KEYED = (
    ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN, ErrorCode.STORE_UNAVAILABLE, ErrorCode.INVALID_PARAMETER,
)  # fmt: skip
WITH_BODY = (
    *KEYED, ErrorCode.MALFORMED_BODY, ErrorCode.UNSUPPORTED_CONTENT_TYPE, ErrorCode.REQUEST_TIMEOUT,
    ErrorCode.TOO_MANY_BYTES,
)  # fmt: skip
ItemId = Annotated[int, Path(ge=0, le=LARGEST)]
Window = Annotated[
    str,
    Header(
        alias=SESSION_HEADER, pattern="^[A-Za-z0-9]{0,16}$",
        description="Tells two windows of the same key apart: a claim is one window's",
    ),
]  # fmt: skip


class Filter(BaseModel):
    """Which photos. ``since`` and ``until``: when they were judged; times without a zone are UTC."""

    model_config = ConfigDict(extra="forbid")

    state: ReviewState = ReviewState.OPEN
    category: str | None = Field(None, max_length=64)
    batch_id: str | None = Field(None, max_length=32)
    source: str | None = Field(None, max_length=LISTING_LENGTH)
    listing_id: str | None = Field(None, max_length=LISTING_LENGTH)
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None

    @field_validator("category", "batch_id", "source", "listing_id")
    @classmethod
    def _as_kept(cls, value: str | None) -> str | None:
        return storable(value)

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
    """Which photos to take. ``limit``: how many at most; ``without``: none of these; they are given back."""

    limit: int = Field(1, ge=1, le=100)
    without: list[Annotated[int, Field(ge=0, le=LARGEST)]] = Field(default_factory=list, max_length=500)


Photos = dict[str, list[dict[str, Any]]]
_PHOTOS = as_answer(ReviewItems, "Photos")


@router.get("/review/queue", responses={**_PHOTOS, **error_docs(*KEYED)})
async def review_queue(request: Request, page: Annotated[Page, Query()], window: Window = "") -> Photos:
    """Photos with findings by verdict, probability and age, the most pressing first; claimed ones too."""
    items = await asyncio.to_thread(reviews_of(request).queue, page.wanted, page.limit, page.offset)
    return {"items": [shown(item, moderator_of(request, window)) for item in items]}


@router.post("/review/claims", responses={**_PHOTOS, **error_docs(*WITH_BODY)})
async def claim_items(request: Request, claim: Claim, window: Window = "") -> Photos:
    """Take the next photos: nobody else gets them until FAUNALENS_REVIEW_CLAIM_SECONDS have passed.

    What you have taken already comes again, prolonged, except for what is to be `without`: it is given back.
    """
    moderator = moderator_of(request, window)
    taking = partial(reviews_of(request).claim, moderator.id, claim.wanted, claim.limit, window, claim.without)
    items = await asyncio.to_thread(taking)
    return {"items": [shown(item, moderator) for item in items]}


@router.delete("/review/claims", status_code=204, responses=error_docs(*KEYED))
async def release_items(request: Request, window: Window = "") -> Response:
    """Give back everything that you have taken."""
    await asyncio.to_thread(reviews_of(request).release, moderator_of(request, window).id, window)
    return Response(status_code=204)


def reviews_of(request: Request) -> Reviews:
    """The queue."""
    return Reviews(bulk_of(request).database, state_of(request).settings.review_claim_seconds)


def moderator_of(request: Request, window: str = "") -> Moderator:
    """Who asks: the key's id, empty where keys are off."""
    key = key_of(request)
    return Moderator(key.id if key else "", window, state_of(request).settings.review_claim_seconds)


def shown(item: ReviewItem, moderator: Moderator) -> dict[str, Any]:
    """A photo as it is sent."""
    yours = item.claimed_until is not None and item.claimed_by == holder(moderator.id, moderator.session)
    return {
        **item.fields, "claimed_until": _shown_time(item.claimed_until), "yours": yours, "photo": item.photo,
        "photo_until": _shown_time(item.purge_at),
    }  # fmt: skip


def _shown_time(seconds: float | None) -> str | None:
    return iso(seconds) if seconds else None


def _seconds(time: datetime.datetime | None) -> float | None:
    if time is None:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=datetime.UTC)).timestamp()
