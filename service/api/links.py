"""Pictures named by URL: the body ``{"url": "https://..."}``, taken only where ``FAUNALENS_URL_INPUT`` is on."""

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from service.api.bodies import content_kind, counted
from service.errors import ErrorCode, FaunalensError

_KIND = "application/json"
_MAX_BYTES = 8192


class Link(BaseModel):
    """The body."""

    model_config = ConfigDict(extra="forbid")

    url: str


def is_link(request: Request) -> bool:
    """Whether the body says that it is JSON."""
    return content_kind(request) == _KIND


async def read_link(request: Request) -> str:
    """The URL in the body; raises ``malformed_body`` or ``too_many_bytes``."""
    body = b"".join([chunk async for chunk in counted(request, _MAX_BYTES)])
    try:
        return Link.model_validate_json(body).url
    except ValidationError as error:
        # the validator's own words would repeat the URL
        raise FaunalensError(ErrorCode.MALFORMED_BODY, 'The body is not {"url": "https://..."}.') from error
