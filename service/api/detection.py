"""``POST /v1/detect`` and ``POST /v1/heatmap``."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.answer import Answer, Answers, FileAnswer, FileFailure
from service.api.bodies import Upload, is_multipart, read_image, read_uploads
from service.api.failures import error_docs
from service.api.state import State, state_of
from service.errors import ErrorCode, FaunalensError
from service.policy import Policy

router = APIRouter(tags=["detection"])

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILES = {
    "schema": {
        "type": "object",
        "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
        "required": ["file"],
    }
}
_IMAGE_BODY: dict[str, Any] = {"image/*": _BINARY, "application/octet-stream": _BINARY}
_DETECT_BODY = {"requestBody": {"required": True, "content": {**_IMAGE_BODY, "multipart/form-data": _FILES}}}
_HEATMAP_BODY = {"requestBody": {"required": True, "content": _IMAGE_BODY}}
_IMAGE_ERRORS = (
    ErrorCode.EMPTY_IMAGE, ErrorCode.CORRUPT_IMAGE, ErrorCode.TRUNCATED_IMAGE, ErrorCode.INVALID_PARAMETER,
    ErrorCode.UNSUPPORTED_FORMAT, ErrorCode.UNSUPPORTED_CONTENT_TYPE, ErrorCode.TOO_MANY_BYTES,
    ErrorCode.TOO_MANY_PIXELS, ErrorCode.TOO_MANY_FRAMES, ErrorCode.NOT_READY, ErrorCode.OVERLOADED,
)  # fmt: skip


@router.post(
    "/v1/detect",
    response_model=Answer | Answers,
    openapi_extra=_DETECT_BODY,
    responses=error_docs(
        *_IMAGE_ERRORS, ErrorCode.UNKNOWN_POLICY, ErrorCode.TOO_MANY_FILES, ErrorCode.NO_IMAGE, ErrorCode.MALFORMED_BODY
    ),
)
async def detect(
    request: Request,
    heatmap: Annotated[bool, Query(description="Embed a heat map as heatmap_png (base64)")] = False,
    policy: Annotated[str | None, Query(description="Name of a policy, see GET /v1/model", max_length=64)] = None,
) -> Response:
    """Say what one or several pictures show.

    A raw image body (`Content-Type: image/*`) is answered with one answer; `multipart/form-data` with `results` and
    `failures`, one entry a file. A verdict asks a person to look; it is never an automatic removal.
    """
    state = state_of(request)
    chosen = state.detector.policy(policy)
    request_id: str = request.scope["faunalens.request_id"]
    if is_multipart(request):
        answers = await _judge_all(state, await read_uploads(request, state.settings), request_id, chosen, heatmap)
        return Response(answers.model_dump_json(exclude_none=not heatmap), media_type="application/json")
    answer = await _judge(state, await read_image(request, state.settings), request_id, chosen, heatmap)
    return Response(answer.model_dump_json(exclude_none=not heatmap), media_type="application/json")


@router.post(
    "/v1/heatmap",
    response_class=Response,
    openapi_extra=_HEATMAP_BODY,
    responses={
        200: {"content": {"image/png": {}}, "description": "The picture under its heat map"},
        **error_docs(*_IMAGE_ERRORS, ErrorCode.UNKNOWN_CATEGORY),
    },
)
async def heatmap_overlay(
    request: Request,
    category: Annotated[str | None, Query(description="Category shown; default: the strongest", max_length=64)] = None,
) -> Response:
    """Show where in a picture the evidence for a category is, as a PNG."""
    state = state_of(request)
    detector = state.detector
    if is_multipart(request):
        raise FaunalensError(ErrorCode.UNSUPPORTED_CONTENT_TYPE, "Send one image as the raw body.")
    data = await read_image(request, state.settings)
    png = await state.workers.run(lambda: detector.heatmap(data, category))
    return Response(png, media_type="image/png")


async def _judge(state: State, data: bytes, request_id: str, policy: Policy, heatmap: bool) -> Answer:
    detector = state.detector
    answer = await state.workers.run(lambda: detector.answer(data, request_id, policy, heatmap))
    state.metrics.judged(answer)
    return answer


async def _judge_all(state: State, uploads: list[Upload], request_id: str, policy: Policy, heatmap: bool) -> Answers:
    slots = asyncio.Semaphore(state.workers.threads)

    async def one(upload: Upload) -> FileAnswer | FileFailure:
        try:
            async with slots:
                answer = await _judge(state, upload.data, request_id, policy, heatmap)
        except FaunalensError as error:
            state.metrics.failures.labels(error.code.code).inc()
            return FileFailure.of(upload.name, error, request_id)
        return FileAnswer.of(upload.name, answer)

    done = await asyncio.gather(*(one(upload) for upload in uploads))
    return Answers(
        request_id=request_id,
        results=tuple(item for item in done if isinstance(item, FileAnswer)),
        failures=tuple(item for item in done if isinstance(item, FileFailure)),
    )
