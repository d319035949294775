"""``POST /v1/model:reload``."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from service.answer import ModelName
from service.api.failures import error_docs
from service.api.state import state_of
from service.errors import ErrorCode

router = APIRouter(tags=["administration"])


class Reloaded(BaseModel):
    """The model that answered before, and the one that answers now."""

    previous: ModelName
    model: ModelName


@router.post(
    "/v1/model:reload",
    responses=error_docs(
        ErrorCode.MODEL_REJECTED, ErrorCode.RELOAD_RUNNING, ErrorCode.NOT_READY, ErrorCode.UNAUTHENTICATED,
        ErrorCode.FORBIDDEN,
    ),
)  # fmt: skip
async def reload_model(request: Request) -> Reloaded:
    """Load `FAUNALENS_MODEL` and the policies again, without dropping a request.

    The new model answers once its self-test has passed. If anything is wrong with it, the old one stays.
    """
    state = state_of(request)
    previous = state.detector.model_name
    await state.reload()
    return Reloaded(previous=previous, model=state.detector.model_name)
