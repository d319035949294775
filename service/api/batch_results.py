"""Results of a batch as JSON lines and as CSV, ``GET /v1/batches/{id}/results``."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from service.api.batch_info import READ, BatchId, owner_of
from service.api.bodies import LINES, TEXT, lines_of
from service.api.cursor import pages
from service.api.rules import BATCHES
from service.api.state import bulk_of
from service.sanitise import harmless
from service.store.results import Result, page
from service.store.tables import LARGEST

router = APIRouter(prefix=BATCHES, tags=["batches"])
COLUMNS = (
    "seq", "position", "file", "listing_id", "verdict", "category", "probability", "error", "sha256", "width", "height",
    "model", "policy", "judged_at",
)  # fmt: skip


@router.get(
    "/{batch_id}/results",
    response_class=Response,
    responses={
        200: {
            "content": {**lines_of("BatchResult", "BatchFailure"), "text/csv": TEXT},
            "description": "Results so far",
        },
        **READ,
    },
)
async def batch_results(
    request: Request,
    batch_id: BatchId,
    kind: Annotated[Literal["jsonl", "csv"], Query(alias="format")] = "jsonl",
    cursor: Annotated[int, Query(ge=0, le=LARGEST, description="`seq` of the last result seen")] = 0,
    limit: Annotated[int | None, Query(ge=1, description="Most results; default: all there are")] = None,
) -> StreamingResponse:
    """Results in the order in which they were written, while the batch runs and after.

    Ask again with the last `seq` as `cursor` for what came since: nothing is missed and nothing comes twice.
    """
    bulk = bulk_of(request)
    await asyncio.to_thread(bulk.batches.get, batch_id, owner_of(request))
    found = await pages(partial(page, bulk.database, batch_id), cursor, limit)
    render = csv_lines if kind == "csv" else json_lines
    media = "text/csv; charset=utf-8" if kind == "csv" else LINES

    async def body() -> AsyncIterator[bytes]:
        if kind == "csv":
            yield row(COLUMNS)
        async for results in found:
            yield b"".join(render(results))

    return StreamingResponse(body(), media_type=media)


def json_lines(results: Sequence[Result]) -> Iterator[bytes]:
    """One JSON object a result."""
    return (result.line.encode() + b"\n" for result in results)


def csv_lines(results: Sequence[Result]) -> Iterator[bytes]:
    """One row a result, with its strongest finding; see :data:`COLUMNS`."""
    for result in results:
        fields = result.fields
        finding: dict[str, Any] = next(iter(fields.get("findings", ())), {})
        image = fields.get("image", {})
        yield row(
            (
                result.seq, result.position, harmless(result.name), harmless(result.listing_id or ""),
                fields.get("verdict", ""), finding.get("category", ""), finding.get("probability", ""),
                fields.get("error", {}).get("code", ""), image.get("sha256", ""), image.get("width", ""),
                image.get("height", ""), fields.get("model", {}).get("name", ""),
                fields.get("policy", {}).get("name", ""), fields.get("judged_at", ""),
            )
        )  # fmt: skip


def row(values: tuple[object, ...]) -> bytes:
    """One row of CSV."""
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue().encode()
