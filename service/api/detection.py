"""``POST /v1/detect`` and ``POST /v1/heatmap``."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Request
from starlette.background import BackgroundTasks
from starlette.responses import Response

from service.answer import Answer, Answers, FileAnswer, FileFailure
from service.api.bodies import BINARY, FILES, MULTIPART, is_multipart, read_image
from service.api.connection import while_connected
from service.api.door import DEADLINE_HEADER, Visit, visit_of
from service.api.failures import error_docs
from service.api.intake import HOLD
from service.api.links import is_link, read_link
from service.api.observe import REQUEST_ID, note
from service.api.parts import Upload, read_uploads
from service.api.rules import DETECT, HEATMAP
from service.api.state import State, state_of
from service.detector import Detector
from service.errors import ErrorCode, FaunalensError
from service.outbound.fetch import Fetcher, Hold
from service.policy import Policy, Verdict
from service.runtime.admission import Ticket
from service.runtime.cache import digest_of
from service.seen import Seen

router = APIRouter(tags=["detection"])

_IMAGE_BODY: dict[str, Any] = {"image/*": BINARY, "application/octet-stream": BINARY}
_DEADLINE = {
    "name": DEADLINE_HEADER,
    "in": "header",
    "description": "Milliseconds from its arrival after which work that has not begun is dropped",
    "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
}
_LINK = {
    "schema": {
        "type": "object",
        "properties": {"url": {"type": "string", "format": "uri"}},
        "required": ["url"],
        "additionalProperties": False,
        "description": "Only where FAUNALENS_URL_INPUT=on",
    }
}
_DETECT_CONTENT = {**_IMAGE_BODY, MULTIPART: FILES, "application/json": _LINK}
_DETECT_BODY = {"parameters": [_DEADLINE], "requestBody": {"required": True, "content": _DETECT_CONTENT}}
_HEATMAP_BODY = {"parameters": [_DEADLINE], "requestBody": {"required": True, "content": _IMAGE_BODY}}
_IMAGE_ERRORS = (
    ErrorCode.EMPTY_IMAGE, ErrorCode.CORRUPT_IMAGE, ErrorCode.TRUNCATED_IMAGE, ErrorCode.INVALID_PARAMETER,
    ErrorCode.UNSUPPORTED_FORMAT, ErrorCode.UNSUPPORTED_CONTENT_TYPE, ErrorCode.TOO_MANY_BYTES,
    ErrorCode.TOO_MANY_PIXELS, ErrorCode.TOO_MANY_FRAMES, ErrorCode.DECODE_DEADLINE, ErrorCode.DECODER_STOPPED,
    ErrorCode.NOT_READY, ErrorCode.OVERLOADED, ErrorCode.DEADLINE_EXCEEDED, ErrorCode.UNAUTHENTICATED,
    ErrorCode.FORBIDDEN, ErrorCode.RATE_LIMITED, ErrorCode.QUOTA_EXCEEDED, ErrorCode.REQUEST_TIMEOUT,
)  # fmt: skip


@router.post(
    DETECT,
    response_model=Answer | Answers,
    openapi_extra=_DETECT_BODY,
    responses=error_docs(
        *_IMAGE_ERRORS, ErrorCode.UNKNOWN_POLICY, ErrorCode.TOO_MANY_FILES, ErrorCode.NO_IMAGE,
        ErrorCode.MALFORMED_BODY, ErrorCode.URL_NOT_ALLOWED, ErrorCode.URL_UNREACHABLE, ErrorCode.URL_TOO_SLOW,
    ),
)  # fmt: skip
async def detect(
    request: Request,
    heatmap: Annotated[bool, Query(description="Embed a heat map as heatmap_png (base64)")] = False,
    policy: Annotated[str | None, Query(description="Name of a policy, see GET /v1/model", max_length=64)] = None,
    source: Annotated[
        str, Query(description="Where the pictures are from; for the statistics, where batches are on", max_length=256)
    ] = "",
) -> Response:
    """Say what one or several pictures show.

    A raw image body (`Content-Type: image/*`) is answered with one answer; `multipart/form-data` with `results` and
    `failures`, one entry a file. JSON, `{"url": "https://..."}`, is taken only where FAUNALENS_URL_INPUT is on. A
    verdict asks a person to look; it is never an automatic removal.
    """
    state = state_of(request)
    detector = state.detector
    request_id: str = request.scope[REQUEST_ID]
    job = _Job(state, detector, visit_of(request), request_id, detector.policy(policy), heatmap, source)
    answer: Answer | Answers
    if state.fetcher is not None and is_link(request):
        url = await read_link(request)
        answer = await while_connected(request, job.judge_linked(url, state.fetcher, request.scope[HOLD]))
    elif is_multipart(request):
        uploads = await read_uploads(request, state.settings)
        answer = await while_connected(request, job.judge_all(uploads))
    else:
        answer = await while_connected(request, job.judge(await read_image(request, state.settings)))
    note(request.scope, model=detector.contract.sha256[:12], **_noted(answer))
    body = answer.model_dump_json(exclude_none=True)
    return Response(body, media_type="application/json", background=job.later)


@router.post(
    HEATMAP,
    response_class=Response,
    openapi_extra=_HEATMAP_BODY,
    responses={
        200: {"content": {"image/png": BINARY}, "description": "The picture under its heat map"},
        **error_docs(*_IMAGE_ERRORS, ErrorCode.UNKNOWN_CATEGORY),
    },
)
async def heatmap_overlay(
    request: Request,
    category: Annotated[
        str | None, Query(description="Category shown; default: nearest to its review threshold", max_length=64)
    ] = None,
) -> Response:
    """Show where in a picture the evidence for a category is, as a PNG."""
    state = state_of(request)
    detector = state.detector
    if is_multipart(request):
        raise FaunalensError(ErrorCode.UNSUPPORTED_CONTENT_TYPE, "Send one image as the raw body.")
    detector.check_category(category)
    data = await read_image(request, state.settings)
    png = await while_connected(request, _overlay(state, detector, visit_of(request).ticket, data, category))
    return Response(png, media_type="image/png")


async def _overlay(state: State, detector: Detector, ticket: Ticket, data: bytes, category: str | None) -> bytes:
    picture = await state.decoding.decode(detector, ticket, data, heatmap=True)
    return await state.workers.run(ticket, lambda: detector.heatmap(picture, category))


@dataclass(frozen=True, slots=True)
class _Job:
    """What the pictures of one request have in common. ``later``: what is done once the answer went out."""

    state: State
    detector: Detector
    visit: Visit
    request_id: str
    policy: Policy
    heatmap: bool
    source: str
    later: BackgroundTasks = field(default_factory=BackgroundTasks)

    async def judge(self, data: bytes) -> Answer:
        """One picture, from the detector's cache if it is there; a heat map needs the picture itself."""
        cache = self.detector.cache
        if self.heatmap or not cache.most:
            return (await self._judge_anew(data))[0]
        # a digest of 20 MB takes some 10 ms, in which the event loop must not wait
        digest = await asyncio.to_thread(digest_of, self.visit.ticket.flow, data)
        seen = cache.recall(digest)
        # by another policy it may have a finding, and then it needs a map
        if seen and not seen.shows(self.policy):
            seen = None
        self.state.metrics.cache.labels("hit" if seen else "miss").inc()
        if seen is None:
            answer, seen = await self._judge_anew(data)
            cache.keep(digest, seen.to_keep())
            return answer
        answer = self.detector.answer(seen, self.request_id, self.policy)
        self._count(answer, {})
        return answer

    async def _judge_anew(self, data: bytes) -> tuple[Answer, Seen]:
        arrived = time.time_ns()
        picture = await self.state.decoding.decode(self.detector, self.visit.ticket, data, self.heatmap)
        joined = time.perf_counter()

        def work() -> tuple[float, Answer, Seen]:
            waited = (time.perf_counter() - joined) * 1e3
            seen = self.detector.see(picture, self.heatmap, policy=self.policy)
            return waited, self.detector.answer(seen, self.request_id, self.policy, self.heatmap), seen

        waited, answer, seen = await self.state.workers.run(self.visit.ticket, work)
        order = ("wait", "decode", "infer") if isinstance(picture, bytes) else ("decode", "wait", "infer")
        self._record(arrived, order, {"wait": waited, **answer.timing_ms}, answer)
        if self.state.shadow:
            self.later.add_task(self.state.shadow.offer, data, answer)
        return answer, seen

    def _record(self, arrived: int, order: tuple[str, ...], milliseconds: dict[str, float], answer: Answer) -> None:
        """Count one answer. ``arrived``: nanoseconds since the epoch; ``order`` of the stages that are traced."""
        self._count(answer, milliseconds)
        if self.state.tracing:
            self.state.tracing.stages(arrived, {stage: milliseconds[stage] for stage in order})

    def _count(self, answer: Answer, milliseconds: dict[str, float]) -> None:
        self.state.metrics.judged(answer.verdict, [finding.category for finding in answer.findings], milliseconds)
        if self.state.bulk:
            self.state.bulk.tallies.add("live", self.source, answer)

    async def judge_linked(self, url: str, fetcher: Fetcher, hold: Hold) -> Answer:
        with self.state.metrics.stage_seconds.labels("fetch").time():
            data = await fetcher.fetch(url, self.visit.ticket.flow, hold)
        return await self.judge(data)

    async def judge_all(self, uploads: list[Upload]) -> Answers:
        """Every file, in order; at most as many in line at once as there are threads. Raises ``quota_exceeded``."""
        if self.state.access and self.visit.key:
            self.state.access.allowances.take_more(self.visit.key, len(uploads) - 1, self.visit.day)
        slots = asyncio.Semaphore(self.state.workers.threads)

        async def one(upload: Upload) -> FileAnswer | FileFailure:
            try:
                async with slots:
                    answer = await self.judge(upload.data)
            except FaunalensError as error:
                self.state.metrics.failures(error.code.code).inc()
                return FileFailure.of(upload.name, error, self.request_id)
            return FileAnswer.of(upload.name, answer)

        done = await asyncio.gather(*(one(upload) for upload in uploads))
        return Answers(
            request_id=self.request_id,
            results=tuple(item for item in done if isinstance(item, FileAnswer)),
            failures=tuple(item for item in done if isinstance(item, FileFailure)),
        )


def _noted(answer: Answer | Answers) -> dict[str, object]:
    """What the log line says of an answer."""
    if isinstance(answer, Answer):
        times = {f"{stage}_ms": round(answer.timing_ms[stage], 2) for stage in ("decode", "infer")}
        return {"verdict": answer.verdict, **times, **({"cached": True} if answer.cached else {})}
    verdicts = dict.fromkeys(get_args(Verdict), 0)
    for result in answer.results:
        verdicts[result.verdict] += 1
    return {**verdicts, "failed": len(answer.failures)}
