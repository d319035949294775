"""``/review`` and ``/stats``: hand-written files of ``service/api/page`` and ``service/api/stats``.

The policy lets the pages run files of this service and speak to it only. Photos are drawn from fetched bytes, so that
the key stays out of addresses.
"""

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from service.api.headers import PAGE_POLICY
from service.api.rules import REVIEW_ASSETS, REVIEW_PAGE, STATISTICS_ASSETS, STATISTICS_PAGE

_HERE = Path(__file__).parent


class _Assets(StaticFiles):
    """Files that the browser keeps, and asks each time whether they changed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def kept(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"cache-control", b"no-cache")]
            await send(message)

        await super().__call__(scope, receive, kept)


def install(app: FastAPI) -> None:
    """Add the pages and their files."""
    _add(app, REVIEW_PAGE, REVIEW_ASSETS, _HERE / "page" / "review.html")
    _add(app, STATISTICS_PAGE, STATISTICS_ASSETS, _HERE / "stats" / "stats.html")


def _add(app: FastAPI, address: str, assets: str, page: Path) -> None:
    """``page`` at ``address``, and what lies beside it at ``assets``."""
    app.mount(assets.rstrip("/"), _Assets(directory=page.parent))

    @app.get(address, include_in_schema=False)
    async def shown() -> FileResponse:
        return FileResponse(page, headers={"Content-Security-Policy": PAGE_POLICY})
