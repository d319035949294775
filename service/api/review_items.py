"""What is known of one photo under review: the photo itself, its heat map, and near-identical ones seen before."""

import asyncio
import json
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.api.bodies import BINARY
from service.api.failures import error_docs
from service.api.records import ReviewItem, SimilarItems, as_answer
from service.api.review import KEYED, ItemId, Window, moderator_of, reviews_of, shown
from service.api.state import bulk_of, state_of
from service.bulk.views import SIDES
from service.errors import ErrorCode
from service.store.likenesses import Likeness, likenesses

router = APIRouter(prefix="/v1/review/items", tags=["review"])
_LIKE = 8
_PICTURE = (
    *KEYED, ErrorCode.UNKNOWN_ITEM, ErrorCode.PHOTO_UNAVAILABLE, ErrorCode.NOT_READY, ErrorCode.DECODE_DEADLINE,
    ErrorCode.DECODER_STOPPED,
)  # fmt: skip


@router.get("/{item}", responses={**as_answer(ReviewItem, "The photo"), **error_docs(*KEYED, ErrorCode.UNKNOWN_ITEM)})
async def review_item(request: Request, item: ItemId, window: Window = "") -> dict[str, Any]:
    """One photo, with the fields of the queue."""
    return shown(await asyncio.to_thread(reviews_of(request).one, item), moderator_of(request, window))


@router.get(
    "/{item}/photo",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": BINARY}, "description": "The photo"}, **error_docs(*_PICTURE)},
)
async def review_photo(request: Request, item: ItemId, size: Literal["small", "large"] = "large") -> Response:
    """The photo as a JPEG made here, upright, no side over 320 (`small`) or 1280 (`large`) pixels.

    It is there as long as FAUNALENS_RETENTION_HOURS says, then `photo_unavailable`.
    """
    bulk, found = bulk_of(request), await asyncio.to_thread(reviews_of(request).one, item)
    detector = state_of(request).detector
    data = await bulk.views.photo(detector, found.result.batch_id, found.result.position, SIDES[size])
    return Response(data, media_type="image/jpeg")


@router.get(
    "/{item}/heatmap",
    response_class=Response,
    responses={
        200: {"content": {"image/png": BINARY}, "description": "The photo under its heat map"},
        **error_docs(*_PICTURE, ErrorCode.UNKNOWN_CATEGORY),
    },
)
async def review_heatmap(
    request: Request, item: ItemId, category: Annotated[str | None, Query(max_length=64)] = None
) -> Response:
    """Where in the photo the evidence for a category is, by the model in use now; default: the strongest finding."""
    bulk, found = bulk_of(request), await asyncio.to_thread(reviews_of(request).one, item)
    category = category or found.fields["findings"][0]["category"]
    detector = state_of(request).detector
    data = await bulk.views.heatmap(detector, found.result.batch_id, found.result.position, category)
    return Response(data, media_type="image/png")


@router.get(
    "/{item}/similar", responses={**as_answer(SimilarItems, "Photos"), **error_docs(*KEYED, ErrorCode.UNKNOWN_ITEM)}
)
async def similar_items(
    request: Request, item: ItemId, limit: Annotated[int, Query(ge=1, le=50)] = _LIKE
) -> dict[str, list[dict[str, Any]]]:
    """Near-identical photos with findings, as they are or mirrored, and what was decided about them.

    Decided ones first. `distance`: how many of the 64 bits of the perceptual hash differ, at most 7.
    """
    bulk = bulk_of(request)
    looking = partial(likenesses, bulk.database, item, limit)
    found = await asyncio.get_running_loop().run_in_executor(bulk.lookups, looking)
    return {"items": [_like(one) for one in found]}


def _like(one: Likeness) -> dict[str, Any]:
    told = json.loads(one.entry) if one.entry else {}
    decision = {name: told.get(name) for name in ("decision", "category", "decided_at", "moderator")}
    return {
        "item": one.item, "distance": one.distance, "identical": one.identical, "mirrored": one.mirrored,
        "file": one.name, "listing_id": one.listing_id, "source": one.source, "photo": one.photo, "state": one.state,
        **decision,
    }  # fmt: skip
