"""``GET /v1/categories``, ``/v1/model``, ``/livez``, ``/readyz`` and ``/metrics``."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from service.api.bodies import TEXT
from service.api.failures import error_docs
from service.api.rules import LIVENESS, METRICS, NOTICES, READINESS
from service.api.state import state_of
from service.catalog import DEFAULT_LANGUAGE, CatalogCategory, Listing
from service.contract import Category, Maturity, Preprocessing
from service.errors import ErrorCode, FaunalensError
from service.notices import NoticeText, notice
from service.telemetry.metrics import CONTENT_TYPE

router = APIRouter(tags=["information"])
_KEYED = (ErrorCode.NOT_READY, ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN)
_IN_A_LANGUAGE = (ErrorCode.UNKNOWN_LANGUAGE, ErrorCode.INVALID_PARAMETER, *_KEYED)


class CategoryInfo(BaseModel):
    """A category with its notice for the uploader in one language."""

    id: str
    name: str
    english_name: str
    maturity: Maturity
    description: str
    taxa: tuple[str, ...]
    lookalikes: tuple[str, ...]
    lookalike_hints: str
    cites: tuple[Listing, ...]
    notice_key: str
    notice: dict[str, str]


class CategoriesInfo(BaseModel):
    """The categories of the model."""

    catalog_version: str
    language: str
    languages: tuple[str, ...]
    categories: tuple[CategoryInfo, ...]


class PolicyInfo(BaseModel):
    """A policy with the thresholds it resolves to; null: never."""

    version: str
    sha256: str
    description: str
    thresholds: dict[str, dict[str, float | None]]


class ModelInfo(BaseModel):
    """The network in use, its preprocessing, calibration, thresholds and policies."""

    name: str
    sha256: str
    created: str
    preprocessing: Preprocessing
    categories: tuple[Category, ...]
    val_prevalence: dict[str, float]
    training: dict[str, Any]
    default_policy: str
    policies: dict[str, PolicyInfo]


class Health(BaseModel):
    """The state of the process."""

    status: str


@router.get("/v1/categories", responses=error_docs(*_IN_A_LANGUAGE))
async def categories(
    request: Request,
    lang: Annotated[str, Query(description="Language of name and notice", max_length=35)] = DEFAULT_LANGUAGE,
) -> CategoriesInfo:
    """The categories, what they are, their CITES listing, look-alikes, and the notice for uploaders."""
    detector = state_of(request).detector
    catalog = detector.catalog
    language = catalog.check_language(lang)
    infos = tuple(
        _category_info(catalog[category], language, catalog.instead[language]) for category in detector.contract.ids
    )
    return CategoriesInfo(
        catalog_version=catalog.version, language=language, languages=catalog.languages, categories=infos
    )


@router.get(f"{NOTICES}{{category}}", responses=error_docs(ErrorCode.UNKNOWN_CATEGORY, *_IN_A_LANGUAGE))
async def notices(
    request: Request,
    category: Annotated[str, Path(max_length=64)],
    lang: Annotated[str, Query(description="Language of the notice", max_length=35)] = DEFAULT_LANGUAGE,
) -> NoticeText:
    """What to tell the uploader of a photo of a category: why it was looked at, and what they may do."""
    return notice(state_of(request).detector.catalog, category, lang)


@router.get("/v1/model", responses=error_docs(*_KEYED))
async def model(request: Request) -> ModelInfo:
    """The network that answers, with the thresholds of every policy."""
    detector = state_of(request).detector
    contract = detector.contract
    policies = {
        policy.name: PolicyInfo(
            version=policy.version,
            sha256=policy.sha256,
            description=policy.description,
            thresholds={
                category: {"review": _shown(review), "priority": _shown(priority)}
                for category, (review, priority) in policy.thresholds.items()
            },
        )
        for policy in detector.policies.values()
    }
    return ModelInfo(
        name=contract.name, sha256=contract.sha256, created=contract.created, preprocessing=contract.preprocessing,
        categories=contract.categories, val_prevalence=contract.val_prevalence, training=contract.training,
        default_policy=detector.settings.policy, policies=policies,
    )  # fmt: skip


@router.get(LIVENESS)
async def livez() -> Health:
    """Whether the process answers; never depends on the model. When this fails, restart the process."""
    return Health(status="alive")


@router.get(READINESS, responses=error_docs(ErrorCode.NOT_READY, ErrorCode.OVERLOADED))
async def readyz(request: Request) -> Health:
    """Whether pictures should be sent here.

    503 until the model is loaded and its self-test has passed, and while the line is nearly full: from 80 % of a bound
    until it is below 50 %, and once the service has been told to stop.
    """
    state = state_of(request)
    if state.draining:
        raise FaunalensError(ErrorCode.NOT_READY, "The service is stopping.")
    state.detector  # noqa: B018 - raises not_ready
    if not state.workers.ready:
        raise FaunalensError(ErrorCode.OVERLOADED, "The line is nearly full.", {"waiting": state.workers.waiting})
    return Health(status="ready")


@router.get(METRICS, response_class=Response, responses={
    200: {"content": {"text/plain": TEXT}}, **error_docs(ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN)
})  # fmt: skip
async def metrics(request: Request) -> Response:
    """Prometheus metrics. Where keys are on, this needs one with the scope `admin`."""
    return Response(state_of(request).metrics.text(), media_type=CONTENT_TYPE)


def _category_info(entry: CatalogCategory, language: str, instead: str) -> CategoryInfo:
    words = entry.notice[language]
    return CategoryInfo(
        id=entry.id, name=words.name, english_name=entry.name, maturity=entry.maturity, description=entry.description,
        taxa=entry.taxa, lookalikes=entry.lookalikes, lookalike_hints=entry.lookalike_hints, cites=entry.cites,
        notice_key=entry.notice_key, notice={"why": words.why, "instead": instead},
    )  # fmt: skip


def _shown(threshold: float) -> float | None:
    return threshold if threshold <= 1.0 else None
