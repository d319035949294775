"""``/review``: the moderators' page, hand-written files of ``service/api/page``, nothing from elsewhere.

The policy lets the page run its own files and speak to this service only. Photos are drawn from fetched bytes, so that
the key stays out of addresses.
"""

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from service.api.headers import PAGE_POLICY
from service.api.rules import REVIEW_ASSETS, REVIEW_PAGE

FOLDER = Path(__file__).parent / "page"


class _Assets(StaticFiles):
    """Files that the browser keeps, and asks each time whether they changed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def kept(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"cache-control", b"no-cache")]
            await send(message)

        await super().__call__(scope, receive, kept)


def install(app: FastAPI) -> None:
    """Add the page and its files."""
    app.mount(REVIEW_ASSETS.rstrip("/"), _Assets(directory=FOLDER), name="review-assets")

    @app.get(REVIEW_PAGE, include_in_schema=False)
    async def review_page() -> FileResponse:
        return FileResponse(FOLDER / "review.html", headers={"Content-Security-Policy": PAGE_POLICY})
